// What a page with viem does: sends, deploys, calls, estimates, proves; watches heads and logs over a WebSocket. Prints
// what it saw as JSON.   node viem.mjs NODE_MODULES ADDRESS KEY TOKEN_CODE
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, address, key, code] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(modules, "viem/_esm", name)));
const {
  createPublicClient, createWalletClient, decodeEventLog, defineChain, encodeEventTopics, encodeFunctionData, http, keccak256, parseAbi, parseEther,
  webSocket,
} = await load("index.js");
const { privateKeyToAccount } = await load("accounts/index.js");

const chain = defineChain({
  id: 31337, name: "ledger", nativeCurrency: { name: "ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [`http://${address}`], webSocket: [`ws://${address}`] } },
});
const abi = parseAbi([
  "function transfer(address to, uint256 value) returns (bool)",
  "function balanceOf(address owner) view returns (uint256)",
  "event Transfer(address indexed from, address indexed to, uint256 value)",
]);
const account = privateKeyToAccount(key);
const reader = createPublicClient({ chain, transport: http() });
const wallet = createWalletClient({ chain, account, transport: http() });
const live = createPublicClient({ chain, transport: webSocket() });
const you = "0x0505050505050505050505050505050505050505";
const fail = (error) => { throw error; };
let subscribed;
const done = async (hash) => reader.waitForTransactionReceipt({ hash, pollingInterval: 50 });

await done(await wallet.sendTransaction({ to: you, value: parseEther("1") }));
const { contractAddress: token } = await done(await wallet.deployContract({ abi, bytecode: code }));
let heads = 0;
const watched = [];
// What `watchBlocks` and `watchContractEvent` do, but awaited: each stands when this goes on.
const stopHeads = await live.transport.subscribe({ params: ["newHeads"], onData: () => { heads += 1; }, onError: fail });
const seen = new Promise((resolve) => {
  const onData = ({ result: { data, topics } }) => {
    const { args } = decodeEventLog({ abi, data, topics });
    watched.push({ to: args.to, value: `${args.value}` });
    resolve();
  };
  const topics = encodeEventTopics({ abi, eventName: "Transfer", args: { from: account.address, to: you } });
  subscribed = live.transport.subscribe({ params: ["logs", { address: token, topics }], onData, onError: fail });
});
await subscribed;
await done(await wallet.writeContract({ address: token, abi, functionName: "transfer", args: [you, 400n] }));
await seen;
await stopHeads.unsubscribe();
const call = { address: token, abi, functionName: "transfer", args: [you, 1n], account };
const poor = "0x0606060606060606060606060606060606060606";
const refused = await reader.simulateContract({ ...call, account: poor }).then(() => "", (error) => error.message);
const proof = await reader.getProof({ address: you, storageKeys: [] });
// A whole batch of viem's default size in one request.
const batching = createPublicClient({ chain, transport: http(undefined, { batch: { batchSize: 1000, wait: 50 } }) });
const nonces = await Promise.all(
  Array.from({ length: 1000 }, (_, i) => batching.getTransactionCount({ address: `0x${(i + 1).toString(16).padStart(40, "0")}` })),
);
const { transaction: filled } = await reader.fillTransaction({ account, to: token, data: encodeFunctionData(call) });
const { results, assetChanges } = await reader.simulateCalls({
  account, traceAssetChanges: true, calls: [{ to: token, abi, functionName: "transfer", args: [you, 400n] }],
});
const [{ calls: simulated }] = await reader.simulateBlocks({
  blocks: [{ calls: [{ ...call, to: token }, { ...call, to: token, account: poor }] }],
});
const slot = keccak256(`0x${you.slice(2).padStart(64, "0")}${"0".repeat(64)}`);
const values = await reader.getStorageValues({ requests: { [token]: [slot] } });
const bySender = await reader.getTransaction({ sender: account.address, nonce: 2 });
const byHash = await reader.getTransaction({ blockNumber: 3n, index: 0 });
console.log(JSON.stringify({
  chainId: await reader.getChainId(),
  balance: `${await reader.getBalance({ address: you })}`,
  tokens: `${await reader.readContract({ address: token, abi, functionName: "balanceOf", args: [you] })}`,
  estimate: Number(await reader.estimateContractGas(call)),
  proof: proof.accountProof.length, watched, heads, refused,
  batched: nonces.filter((nonce) => nonce === 0).length,
  filled: { nonce: filled.nonce, gas: Number(filled.gas) },
  simulated: simulated.map(({ status }) => status),
  changes: assetChanges.filter(({ token: { address } }) => address === token).map(({ value }) => `${value.diff}`),
  slots: Object.values(values)[0], bySender: bySender.hash, byHash: byHash.hash, called: results.map(({ status }) => status),
}));
process.exit(0);
