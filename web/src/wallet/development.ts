/** The account of visitors on a development chain: its key is known to everybody, and so worth nothing anywhere else. */

import { hexToBigInt } from "viem/utils";
import { privateKeyToAccount } from "viem/accounts";

import { big, isDevelopment, type About } from "../api/types";
import type { Hex } from "../protocol/bytes";
import { httpProvider, type Provider } from "../verify/chain";
import type { Connected } from "./wallet.svelte";

export const DEVELOPMENT = "development";
/** The first key that development nodes make out of their well-known words. */
const KEY: Hex = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

async function fees(provider: Provider): Promise<{ maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }> {
  const price = hexToBigInt((await provider.request({ method: "eth_gasPrice" })) as Hex);
  return { maxFeePerGas: price * 2n, maxPriorityFeePerGas: 0n };
}

/** Refuses to exist anywhere but on a development chain whose node is named. */
export async function developmentWallet(about: About): Promise<Connected> {
  if (!isDevelopment(about) || !about.rpc) throw new Error("this chain has no account for visitors");
  const provider = httpProvider(about.rpc);
  const account = privateKeyToAccount(KEY);
  const address = account.address.toLowerCase() as Hex;
  return {
    id: DEVELOPMENT,
    name: "Development account",
    address,
    provider,
    sign: (typed) => account.signTypedData(typed as Parameters<typeof account.signTypedData>[0]),
    async send({ to, data, value = 0n }) {
      const from = { from: address, to, data, value: `0x${value.toString(16)}` };
      const [nonce, gas, price] = await Promise.all([
        provider.request({ method: "eth_getTransactionCount", params: [address, "pending"] }) as Promise<Hex>,
        provider.request({ method: "eth_estimateGas", params: [from] }) as Promise<Hex>,
        fees(provider),
      ]);
      const raw = await account.signTransaction({
        type: "eip1559",
        chainId: Number(big(about.chain)),
        nonce: Number(nonce),
        gas: (hexToBigInt(gas) * 6n) / 5n,
        to,
        data,
        value,
        ...price,
      });
      return (await provider.request({ method: "eth_sendRawTransaction", params: [raw] })) as Hex;
    },
  };
}
