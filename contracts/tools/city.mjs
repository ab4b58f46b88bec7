// A small market on anvil, for measuring: deploys the contracts, signs real orders and contributions, sends real
// transactions. Everything is fixed (keys, salts, times, block times), so the same code costs the same gas.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  concat, createPublicClient, createWalletClient, decodeEventLog, encodeAbiParameters, encodeFunctionData,
  getContractAddress, http, keccak256, pad, parseSignature, toHex, zeroAddress, zeroHash,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const START = 1_800_000_000;
const CHAIN_ID = 31337;
export const UNIT = 10n ** 15n;
export const TOKEN = 10n ** 18n;

const artifact = (name) => JSON.parse(readFileSync(join(root, "out", `${name}.sol`, `${name}.json`), "utf8"));
const key = (name) => privateKeyToAccount(keccak256(toHex(`guildhall gas ${name}`)));
const word = (value) => pad(toHex(value), { size: 32 });
const abiWords = (...values) =>
  encodeAbiParameters(values.map(() => ({ type: "bytes32" })), values.map((v) => (typeof v === "string" ? pad(v) : word(v))));

/// Starts anvil with osaka's rules and the cap on a transaction's gas; answers its URL and how to stop it.
export async function startAnvil(more = []) {
  const port = await new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
  const states = mkdtempSync(join(tmpdir(), "anvil-"));
  const args = ["--cache-path", states, "--port", `${port}`, "--hardfork", "osaka", "--enable-tx-gas-limit", "--timestamp", `${START}`,
    "--chain-id", `${CHAIN_ID}`, "--accounts", "1", "--silent", ...more];
  const child = spawn(join(root, "node_modules/.bin/anvil"), args, { stdio: ["ignore", "ignore", "inherit"] });
  child.once("exit", () => rmSync(states, { recursive: true, force: true }));
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries += 1) {
    try {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] });
      await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
      return { url, stop: () => child.kill() };
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const ORDER_TYPES = {
  AppOrder: "uint256 app,uint96 price,uint64 volume,uint256 datasetRestrict,uint32 poolRestrict,address requesterRestrict,uint64 expiry,uint64 nonce,bytes32 salt",
  DatasetOrder: "uint256 dataset,uint96 price,uint64 volume,uint256 appRestrict,uint32 poolRestrict,address requesterRestrict,uint64 expiry,uint64 nonce,bytes32 salt",
  PoolOrder: "uint32 pool,uint96 feePerMfuel,uint96 minimumFee,uint64 volume,uint64 fuelLimitMax,uint256 appRestrict,uint256 datasetRestrict,address requesterRestrict,uint64 expiry,uint32 nonce,bytes32 salt",
  Policy: "uint32 confidence,uint16 faultyShareBps,uint8 replicasMin,uint8 replicasMax,uint96 collateralMin,bool countReputation,uint8 evidence,uint32 disputeWindow,bool finalOnly",
  RequestOrder: "address requester,address payer,address beneficiary,uint256 app,uint256 dataset,uint32 pool,uint96 appPriceMax,uint96 datasetPriceMax,uint96 feePerMfuelMax,uint96 deliveryTip,address callback,uint32 callbackGas,bytes32 inputs,uint32 taskCount,uint32 batchSize,uint64 fuelLimit,uint64 memoryLimit,uint64 deadline,Policy policy,uint64 expiry,uint64 nonce,bytes32 salt",
  Commitment: "bytes32 roundId,uint8 wave,bytes32 commitment",
  Contribution: "bytes32 roundId,uint8 wave,bytes32 root,uint64 fuel,bytes32 listHash",
  WorkerKey: "address operator,uint32 pool",
};
const fields = (name) => ORDER_TYPES[name].split(",").map((f) => ({ type: f.split(" ")[0], name: f.split(" ")[1] }));
const typesOf = (name) => ({ [name]: fields(name), ...(name === "RequestOrder" ? { Policy: fields("Policy") } : {}) });
const emptyOrder = (name) => Object.fromEntries(
  fields(name).map(({ type, name: n }) => [n, type === "address" ? zeroAddress : type === "bytes32" ? zeroHash : 0n]),
);

/// EIP-2098 halves of a signature.
function halves(signature) {
  const { r, s, yParity } = parseSignature(signature);
  return { r, vs: word(BigInt(s) | (BigInt(yParity) << 255n)) };
}

/// Tree of a batch's leaves: its root and the proof of one leaf.
export function tree(leaves, index = 0) {
  let level = [...leaves];
  const size = 1 << Math.ceil(Math.log2(level.length));
  while (level.length < size) level.push(zeroHash);
  const proof = [];
  for (let at = index; level.length > 1; at >>= 1) {
    proof.push(level[at ^ 1]);
    level = level.filter((_, i) => i % 2 === 0).map((left, i) => keccak256(concat([left, level[2 * i + 1]])));
  }
  return { root: level[0], proof };
}

/// What a jury compares of a receipt.
export function findingOf(r) {
  return keccak256(abiWords(BigInt(r.index), BigInt(r.exit), r.fuel, r.outputDigest, r.traceDigest));
}

/// Packs numbers into one word, the first into the low bits: [value, bits] each.
function packed(...parts) {
  let [word, shift] = [0n, 0n];
  for (const [value, bits] of parts) {
    word |= BigInt(value) << shift;
    shift += BigInt(bits);
  }
  return word;
}

/// What a delivery brings of terms, certificate and receipt.
export function parcelOf(terms, c, receipt) {
  return {
    dealId: c.dealId, root: c.root,
    facts: packed([c.batch, 32], [c.attempt, 8], [c.seats, 8], [c.evidence, 8], [c.seedKind, 8], [c.fuel, 64], [c.certifiedAt, 64], [c.finalAt, 64]),
    backing: packed([c.odds, 128], [c.stake, 96]),
    policy: c.policy, members: c.members, requester: terms.requester, app: terms.app, dataset: terms.dataset, inputs: terms.inputs,
    callback: packed([terms.callback, 160], [terms.callbackGas, 32], [terms.pool, 32]),
    sizes: packed([terms.taskCount, 32], [terms.batchSize, 32], [terms.deliveryTip, 96]),
    run: packed([receipt.index, 32], [receipt.exit, 8], [receipt.fuel, 64], [receipt.cumulativeFuel, 64]),
    traceDigest: receipt.traceDigest,
  };
}

/// What cases about a batch need of the terms.
export function caseTermsOf(terms, batch) {
  const fee = (terms.fuelLimit * terms.feePerMfuel + 999_999n) / 1_000_000n;
  const tasks = Math.min(terms.batchSize, terms.taskCount - Number(batch) * terms.batchSize);
  const opened = BigInt(terms.opened);
  return packed([fee, 96], [tasks, 32], [(opened >> 160n) & 0xffn, 8], [opened >> 216n, 40], [terms.pool, 32]);
}

/// Hash of members, rivals and trail: with the case terms what the certificate's `members` covers.
export function rosterOf({ members, rivals, trail }) {
  const claims = rivals.flatMap(({ root, fuel }) => [root, toHex(fuel, { size: 32 })]);
  return keccak256(concat([...members.map((word) => toHex(word, { size: 32 })), ...claims, toHex(trail, { size: 32 })]));
}

/// The market: contracts, people, and what they do.
export class City {
  constructor(url) {
    const chain = { id: CHAIN_ID, name: "anvil", nativeCurrency: { name: "e", symbol: "e", decimals: 18 }, rpcUrls: { default: { http: [url] } } };
    this.client = createPublicClient({ chain, transport: http(url), pollingInterval: 5 });
    this.wallet = (account) => createWalletClient({ account, chain, transport: http(url) });
    this.time = START;
    this.people = {};
    this.salt = 0n;
    this.deployGas = 0n;
  }

  rpc(method, params = []) {
    return this.client.request({ method, params });
  }

  /// A person with gas to spend, made at the first use.
  async person(name) {
    if (!this.people[name]) {
      this.people[name] = key(name);
      await this.rpc("anvil_setBalance", [this.people[name].address, toHex(10n ** 24n)]);
    }
    return this.people[name];
  }

  /// Sends a transaction in a block of its own, two seconds after the last; answers the receipt, or throws with the
  /// error's name.
  async send(from, to, data) {
    const account = await this.person(from);
    this.time += 2;
    await this.rpc("evm_setNextBlockTimestamp", [toHex(this.time)]);
    const hash = await this.wallet(account).sendTransaction({
      to, data, gas: 16_000_000n, type: "eip1559", maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 0n,
      nonce: await this.client.getTransactionCount({ address: account.address }),
    });
    const receipt = await this.receipt(hash);
    if (receipt.status !== "success") {
      const trace = await this.client.call({ account, to, data, blockNumber: receipt.blockNumber }).catch((e) => e);
      throw new Error(`${from} -> ${to}: ${trace.shortMessage ?? "reverted"} ${trace.details ?? ""} ${JSON.stringify(trace.cause?.data ?? trace.cause?.cause?.data ?? "")}`);
    }
    return receipt;
  }

  /// Empty blocks, a second after each other: with times of anvil's own clock, hashes and so gas would differ from run to run.
  async mine(blocks) {
    for (let mined = 0; mined < blocks; mined += 1) {
      this.time += 1;
      await this.rpc("evm_setNextBlockTimestamp", [toHex(this.time)]);
      await this.rpc("evm_mine", []);
    }
  }

  /// The receipt of a transaction: anvil mines at once, so it is there or nearly.
  async receipt(hash) {
    for (let tries = 0; tries < 500; tries += 1) {
      const receipt = await this.client.getTransactionReceipt({ hash }).catch(() => null);
      if (receipt) return receipt;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`transaction ${hash} was not mined`);
  }

  async call(from, contract, functionName, args) {
    const data = encodeFunctionData({ abi: this.abi[contract], functionName, args });
    return this.send(from, this.address[contract], data);
  }

  async read(contract, functionName, args) {
    return this.client.readContract({ abi: this.abi[contract], address: this.address[contract], functionName, args });
  }

  event(receipt, contract, eventName) {
    for (const log of receipt.logs) {
      try {
        const decoded = decodeEventLog({ abi: this.abi[contract], data: log.data, topics: log.topics });
        if (decoded.eventName === eventName) return decoded.args;
      } catch {
        // Another contract's event.
      }
    }
    throw new Error(`no ${eventName}`);
  }

  async deploy(name, types, values) {
    const { abi, bytecode } = artifact(name);
    const data = concat([bytecode.object, types.length ? encodeAbiParameters(types, values) : "0x"]);
    const receipt = await this.send("deployer", null, data);
    this.abi[name] = abi;
    this.address[name] = receipt.contractAddress;
    return receipt.gasUsed;
  }

  /// Deploys everything, a pool with `workers` workers of as many operators, an app, a dataset.
  async build(workers) {
    this.abi = {};
    this.address = {};
    const deployer = await this.person("deployer");
    await this.deploy("DevToken", [], []);
    const at = (i) => getContractAddress({ from: deployer.address, nonce: BigInt(1 + i) });
    const [vault, registry, workforce, market, certifier, seed, recourse, court, jury, inquest] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(at);
    const a = { type: "address" };
    const u = { type: "uint256" };
    const token = this.address.DevToken;
    const parameters = { patienceBaseSecs: 60, fuelPerSec: 500_000_000n, reputationStep: 100, protocolFeeBps: 100, expireGraceSecs: 60, posterGraceSecs: 3600, disputeWindowMinSecs: 10 };
    const p = artifact("Market").abi.find((x) => x.type === "constructor").inputs[5];
    let gas = 0n;
    gas += await this.deploy("Vault", [a, a, a, a, a, a, a], [token, market, workforce, certifier, recourse, court, inquest]);
    gas += await this.deploy("Registry", [a], [deployer.address]);
    gas += await this.deploy("Workforce", [a, a, a, a, a, u, u], [vault, certifier, recourse, court, inquest, TOKEN, TOKEN]);
    gas += await this.deploy("Market", [a, a, a, a, a, p], [vault, registry, workforce, certifier, deployer.address, parameters]);
    gas += await this.deploy("Certifier", [a, a, a, a, { type: "uint8" }, a, a], [vault, workforce, market, seed, 1, recourse, court]);
    gas += await this.deploy("BlockhashSeed", [], []);
    gas += await this.deploy("Recourse", [a, a, a, a, a], [vault, workforce, market, certifier, seed]);
    gas += await this.deploy("Court", [a, a, a, a, a, a], [vault, workforce, market, certifier, seed, jury]);
    gas += await this.deploy("Jury", [a, a, a, a, a], [workforce, market, certifier, seed, court]);
    gas += await this.deploy("Inquest", [a, a, a, a, a], [vault, workforce, market, certifier, seed]);
    this.deployGas = gas;
    if (this.address.Inquest.toLowerCase() !== inquest.toLowerCase()) throw new Error("addresses not as predicted");
    await this.call("deployer", "Registry", "registerRuntime", [keccak256(toHex("runtime"))]);
    const codeId = keccak256(toHex("code"));
    await this.call("app owner", "Registry", "registerApp", [codeId, keccak256(toHex("runtime")), "app"]);
    await this.call("dataset owner", "Registry", "registerDataset", [keccak256(toHex("data")), zeroHash, "dataset"]);
    await this.person("relayer");
    for (const who of ["requester", "pool owner"]) await this.fund(who, 1_000_000n * TOKEN);
    const coordinator = (await this.person("coordinator")).address;
    await this.call("pool owner", "Workforce", "createPool", [coordinator, 500, false, 100n * TOKEN, "pool"]);
    this.workers = [];
    for (let i = 0; i < workers; i += 1) await this.join(i);
    this.workers.sort((x, y) => (BigInt(x.address) < BigInt(y.address) ? -1 : 1));
    const requester = (await this.person("requester")).address;
    await this.deploy("TemperatureAlarm", [a, a, u, { type: "uint32" }, { type: "int256" }], [certifier, requester, 1n, 1, 3000n]);
    await this.signOffers();
  }

  async fund(who, amount) {
    const { address } = await this.person(who);
    await this.call("deployer", "DevToken", "mint", [address, amount]);
    await this.call(who, "DevToken", "approve", [this.address.Vault, amount]);
    await this.call(who, "Vault", "deposit", [address, amount]);
  }

  /// A second pool of the same runtime, whose workers sit on juries.
  async buildJurors(count) {
    const { address } = await this.person("other coordinator");
    await this.call("pool owner", "Workforce", "createPool", [address, 500, false, 100n * TOKEN, "jurors"]);
    const members = this.workers;
    this.workers = [];
    for (let i = 0; i < count; i += 1) await this.join(100 + i, 2);
    [this.jurors, this.workers] = [this.workers, members];
  }

  /// The first `count` of the jurors to whom the lot gives a seat commit to a finding.
  async commitJurors(deal, certified, record, count, finding) {
    const caseId = keccak256(encodeAbiParameters(this.caseType(), [record]));
    const seats = [];
    for (const worker of this.jurors) {
      const own = keccak256(concat([worker.address, caseId]));
      const commitment = keccak256(abiWords(worker.address, caseId, finding, own));
      const name = Object.keys(this.people).find((n) => this.people[n] === worker);
      const args = [deal.terms, certified, [record], worker.address, commitment];
      // Who has no seat is refused.
      const receipt = await this.call(name, "Jury", "commit", args).catch(() => null);
      if (receipt) seats.push({ name, own, gas: receipt.gasUsed, juror: this.event(receipt, "Jury", "JurorCommitted").juror });
      if (seats.length === count) return seats;
    }
    throw new Error(`only ${seats.length} of ${count} jurors have a seat`);
  }

  /// The type of a case in the ABI.
  caseType() {
    return this.abi.Court.find((x) => x.name === "CaseOpened").inputs.filter((x) => x.name === "record");
  }

  async join(i, pool = 1) {
    const operator = await this.person(`operator ${i}`);
    const worker = await this.person(`worker ${i}`);
    await this.fund(`operator ${i}`, 10_000n * TOKEN);
    const message = { operator: operator.address, pool };
    const signature = await worker.signTypedData({ domain: this.domain("Workforce"), types: typesOf("WorkerKey"), primaryType: "WorkerKey", message });
    this.workers.push(worker);
    return this.call(`operator ${i}`, "Workforce", "join", [worker.address, pool, 1, 1000n * TOKEN, signature]);
  }

  domain(contract) {
    return { name: `Guildhall ${contract}`, version: "1", chainId: CHAIN_ID, verifyingContract: this.address[contract] };
  }

  async sign(who, name, message) {
    const signer = await this.person(who);
    return signer.signTypedData({ domain: this.domain("Market"), types: typesOf(name), primaryType: name, message });
  }

  /// The standing offers of app, dataset and pool.
  async signOffers() {
    const common = { volume: 1n << 40n, expiry: BigInt(START) * 2n };
    this.app = { ...emptyOrder("AppOrder"), ...common, app: 1n, price: 10n * UNIT };
    this.dataset = { ...emptyOrder("DatasetOrder"), ...common, dataset: 2n, price: 20n * UNIT };
    this.pool = { ...emptyOrder("PoolOrder"), ...common, pool: 1, feePerMfuel: 50n * UNIT, minimumFee: 0n, fuelLimitMax: 10n ** 12n };
    this.signatures = {
      app: await this.sign("app owner", "AppOrder", this.app),
      dataset: await this.sign("dataset owner", "DatasetOrder", this.dataset),
      pool: await this.sign("pool owner", "PoolOrder", this.pool),
    };
  }

  /// A request and its signature.
  async request({ tasks = 1, batchSize = 1, dataset = false, confidence = 64, seats = 3, collateral = 100n * TOKEN, callback = true, deliveryTip = 0n } = {}) {
    const requester = (await this.person("requester")).address;
    this.salt += 1n;
    const order = {
      requester, payer: requester, beneficiary: requester, app: 1n, dataset: dataset ? 2n : 0n, pool: 1,
      appPriceMax: 10n * UNIT, datasetPriceMax: dataset ? 20n * UNIT : 0n, feePerMfuelMax: 50n * UNIT,
      callback: callback ? this.address.TemperatureAlarm : zeroAddress, callbackGas: 200_000, deliveryTip,
      inputs: keccak256(toHex("inputs")), taskCount: tasks, batchSize, fuelLimit: 2_000_000n, memoryLimit: 1n << 26n,
      deadline: BigInt(START + 200_000),
      policy: { confidence, faultyShareBps: 2000, replicasMin: seats, replicasMax: 10, collateralMin: collateral, countReputation: false, evidence: 0, disputeWindow: 3600, finalOnly: true },
      expiry: BigInt(START + 100_000), nonce: 0n, salt: keccak256(word(this.salt)),
    };
    return { order, signature: await this.sign("requester", "RequestOrder", order) };
  }

  /// Matches a request with the standing offers.
  async match(options = {}) {
    const { order, signature } = await this.request(options);
    const { app, dataset, pool } = this.signatures;
    const withData = order.dataset !== 0n;
    const offer = withData ? this.dataset : emptyOrder("DatasetOrder");
    const signatures = { app, dataset: withData ? dataset : "0x", pool, request: signature, payer: "0x" };
    const receipt = await this.call("relayer", "Market", "matchOrders", [this.app, offer, this.pool, order, signatures]);
    const { terms } = this.event(receipt, "Market", "DealOpened");
    return { gas: receipt.gasUsed, terms, block: receipt.blockNumber };
  }

  /// Id of a batch's first round.
  async roundId(deal, batch = 0) {
    const { hash } = await this.client.getBlock({ blockNumber: deal.block });
    return keccak256(abiWords(deal.terms.dealId, BigInt(batch), 0n, hash));
  }

  /// A worker's blind promise.
  commitment(worker, roundId, root, fuel, own) {
    return keccak256(abiWords(worker, roundId, root, fuel, own));
  }

  /// What `count` agreeing workers sign for a batch.
  async contributions(deal, batch, count, root, fuel) {
    const roundId = await this.roundId(deal, batch);
    const workers = this.workers.slice(0, count);
    const own = workers.map((w) => keccak256(concat([w.address, roundId])));
    const commitments = workers.map((w, i) => this.commitment(w.address, roundId, root, fuel, own[i]));
    const listHash = keccak256(concat([zeroHash, ...workers.flatMap((w, i) => [pad(w.address), commitments[i]])]));
    const message = { roundId, wave: 0, root, fuel, listHash };
    const entries = [];
    for (const [i, worker] of workers.entries()) {
      const signature = await worker.signTypedData({ domain: this.domain("Certifier"), types: typesOf("Contribution"), primaryType: "Contribution", message });
      entries.push({ word: BigInt(worker.address) << 96n, proof: own[i], ...halves(signature) });
    }
    return entries;
  }

  /// Certifies a batch with `count` agreeing workers.
  async certify(deal, count, { batch = 0, root = keccak256(toHex("root")), fuel = 1_500_000n } = {}) {
    const entries = await this.contributions(deal, batch, count, root, fuel);
    const receipt = await this.call("coordinator", "Certifier", "certify", [deal.terms, BigInt(batch), [{ root, fuel }], entries, []]);
    const certified = this.event(receipt, "Certifier", "Certified");
    return { gas: receipt.gasUsed, ...certified, caseTerms: caseTermsOf(deal.terms, certified.batch) };
  }

  /// Receipts of a batch whose every output is one word, each another one, with the root and the proof of one.
  results(tasks, index, reading) {
    const outputOf = (i) => word(reading + BigInt(i));
    const all = [...Array(tasks).keys()].map((i) => ({
      index: i, exit: 0, fuel: 1500n, cumulativeFuel: 1500n * BigInt(i + 1), outputDigest: keccak256(outputOf(i)), traceDigest: keccak256(word(BigInt(i))),
    }));
    const leaves = all.map((r) => keccak256(abiWords(BigInt(r.index), 0n, r.fuel, r.cumulativeFuel, r.outputDigest, r.traceDigest)));
    return { ...tree(leaves, index), receipt: all[index], output: outputOf(index), fuel: 1500n * BigInt(tasks) };
  }

  /// Passes time without a transaction.
  pass(seconds) {
    this.time += seconds;
  }
}
