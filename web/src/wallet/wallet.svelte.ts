/** The reader's wallet: those that the browser announces (EIP-6963), and on a development chain one that is built in. */

import type { About } from "../api/types";
import { big, isDevelopment } from "../api/types";
import type { Call } from "../chain/calls";
import type { Hex } from "../protocol/bytes";
import type { Domain, Field, Of, Struct } from "../protocol/struct";
import { toJson, walletTypes } from "../protocol/struct";
import type { Provider } from "../verify/chain";

/** A wallet that is there. */
export interface Offered {
  readonly id: string;
  readonly name: string;
  readonly provider: Provider;
}

/** A wallet in use. */
export interface Connected {
  readonly id: string;
  readonly name: string;
  readonly address: Hex;
  readonly provider: Provider;
  /** Signs typed data, as JSON, in 65 bytes. */
  sign(typed: unknown): Promise<Hex>;
  send(call: Call): Promise<Hex>;
}

/** Whether it reads the chain by a node of the reader's own: the account for visitors reads by the one that this site names. */
export function readsByItself(of: Connected | undefined): of is Connected {
  return of !== undefined && of.id !== "development";
}

interface Announcement extends Event {
  readonly detail: {
    readonly info: { readonly uuid: string; readonly name: string; readonly rdns: string };
    readonly provider: Provider;
  };
}

export const wallet = $state<{
  offered: readonly Offered[];
  connected: Connected | undefined;
  failed: string | undefined;
}>({
  offered: [],
  connected: undefined,
  failed: undefined,
});
const REMEMBERED = "guildhall.wallet";

/** Asks the browser's wallets to announce themselves, now and later. */
export function discover(): () => void {
  const heard = (event: Event): void => {
    const { info, provider } = (event as Announcement).detail;
    if (wallet.offered.some((one) => one.id === info.rdns)) return;
    wallet.offered = [...wallet.offered, { id: info.rdns, name: info.name, provider }];
    if (remembered() === info.rdns) void connect(info.rdns, true);
  };
  addEventListener("eip6963:announceProvider", heard);
  dispatchEvent(new Event("eip6963:requestProvider"));
  return () => removeEventListener("eip6963:announceProvider", heard);
}

function remembered(): string | null {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}

function remember(id: string | undefined): void {
  try {
    if (id) localStorage.setItem(REMEMBERED, id);
    else localStorage.removeItem(REMEMBERED);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

/** What went wrong in a wallet, in its words. */
export function saidBy(error: unknown): string {
  const message = (error as { shortMessage?: string; message?: string } | undefined)?.message;
  if ((error as { code?: number } | undefined)?.code === 4001) return "You said no in the wallet";
  return message ?? String(error);
}

/** Takes one of the offered wallets; quietly: only if it was allowed before. */
export async function connect(id: string, quietly = false): Promise<void> {
  const offered = wallet.offered.find((one) => one.id === id);
  if (!offered) return;
  const { provider, name } = offered;
  wallet.failed = undefined;
  try {
    const accounts = (await provider.request({ method: quietly ? "eth_accounts" : "eth_requestAccounts" })) as Hex[];
    const address = accounts[0]?.toLowerCase() as Hex | undefined;
    if (!address) return;
    wallet.connected = {
      id,
      name,
      address,
      provider,
      sign: (typed) =>
        provider.request({ method: "eth_signTypedData_v4", params: [address, JSON.stringify(typed)] }) as Promise<Hex>,
      send: ({ to, data, value }) =>
        provider.request({
          method: "eth_sendTransaction",
          params: [{ from: address, to, data, value: `0x${(value ?? 0n).toString(16)}` }],
        }) as Promise<Hex>,
    };
    remember(id);
  } catch (error) {
    wallet.failed = saidBy(error);
  }
}

/** Takes the account that a development chain has for visitors. */
export async function connectDevelopment(about: About): Promise<void> {
  wallet.failed = undefined;
  try {
    const { developmentWallet, DEVELOPMENT } = await import("./development");
    wallet.connected = await developmentWallet(about);
    remember(DEVELOPMENT);
  } catch (error) {
    wallet.failed = saidBy(error);
  }
}

/** Goes on with the development account of the last visit. */
export function resumeDevelopment(about: About): void {
  if (isDevelopment(about) && about.rpc && !wallet.connected && remembered() === "development")
    void connectDevelopment(about);
}

export function disconnect(): void {
  wallet.connected = undefined;
  remember(undefined);
}

/** Brings a wallet to the chain of the city, if it is on another. */
export async function onChain(connected: Connected, about: About): Promise<void> {
  const wanted = `0x${big(about.chain).toString(16)}`;
  const now = (await connected.provider.request({ method: "eth_chainId" })) as string;
  if (BigInt(now) === BigInt(wanted)) return;
  await connected.provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId: wanted }] });
}

const DOMAIN_TYPES = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
];

/** Typed data as wallets take it. */
export function typedData<S extends Struct<readonly Field[]>>(domain: Domain, of: S, value: Of<S>): unknown {
  return {
    types: { EIP712Domain: DOMAIN_TYPES, ...walletTypes(of) },
    primaryType: of.name,
    domain: { name: domain.name, version: "1", chainId: Number(domain.chainId), verifyingContract: domain.contract },
    message: toJson(of, value),
  };
}

const POLL_MS = 700;
const WAIT_MS = 180_000;

/** Waits until a transaction stands in a block, and says whether it did what it should. */
export async function settled(provider: Provider, hash: Hex): Promise<void> {
  for (let waited = 0; waited < WAIT_MS; waited += POLL_MS) {
    const receipt = (await provider.request({ method: "eth_getTransactionReceipt", params: [hash] })) as {
      status: string;
    } | null;
    if (receipt) {
      if (BigInt(receipt.status) === 1n) return;
      throw new Error(`transaction ${hash} was refused by the contract`);
    }
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
  throw new Error(`transaction ${hash} is in no block after three minutes; it may still come`);
}
