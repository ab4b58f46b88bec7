/** A wallet as browsers have them: announces itself (EIP-6963), signs for real, asks its own node; its key stays outside of the page. */

import type { BrowserContext } from "playwright-core";
import { createPublicClient, createWalletClient, http, type Hex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";

export const NAME = "Test wallet";

export interface Wallet {
  readonly account: PrivateKeyAccount;
  /** What it was asked to sign or send. */
  readonly asked: { readonly method: string; readonly params: readonly unknown[] }[];
  /** What it was asked to read of the chain, by the methods' names. */
  readonly read: string[];
  /** What its owner says to the next questions. */
  refuses: boolean;
  /** Lets the next question of a method wait for its owner. */
  hold(method: string): { readonly asked: Promise<void>; answer(): void };
}

interface Request {
  readonly method: string;
  readonly params?: readonly unknown[];
}

/** Puts a wallet into every page of a context. */
export async function inject(context: BrowserContext, rpc: string, account: PrivateKeyAccount): Promise<Wallet> {
  let held: { readonly method: string; readonly ask: () => void; readonly answered: Promise<void> } | undefined;
  const wallet: Wallet = {
    account,
    asked: [],
    read: [],
    refuses: false,
    hold(method) {
      let ask!: () => void, answer!: () => void;
      const asked = new Promise<void>((done) => (ask = done));
      held = { method, ask, answered: new Promise<void>((done) => (answer = done)) };
      return { asked, answer };
    },
  };
  const node = createPublicClient({ transport: http(rpc) });
  const signer = createWalletClient({ account, transport: http(rpc) });
  const answer = async ({ method, params = [] }: Request): Promise<unknown> => {
    if (method === "eth_accounts" || method === "eth_requestAccounts") return [account.address];
    if (!["eth_signTypedData_v4", "eth_sendTransaction"].includes(method)) {
      wallet.read.push(method);
      return node.request({ method, params } as never);
    }
    wallet.asked.push({ method, params });
    if (held?.method === method) {
      const { ask, answered } = held;
      held = undefined;
      ask();
      await answered;
    }
    if (wallet.refuses) throw Object.assign(new Error("User rejected the request"), { code: 4001 });
    if (method === "eth_signTypedData_v4") return account.signTypedData(JSON.parse(params[1] as string));
    const { to, data, value } = params[0] as { to: Hex; data: Hex; value: Hex };
    return signer.sendTransaction({ chain: null, to, data, value: BigInt(value) });
  };
  await context.exposeFunction("askWallet", async (request: Request) => {
    try {
      return { result: await answer(request) };
    } catch (error) {
      const said = error as { code?: number; shortMessage?: string; message: string; data?: unknown; cause?: unknown };
      const { code = -32000, shortMessage, message } = said;
      // What a contract refused with is in the node's own error.
      const data = said.data ?? (said.cause as { data?: unknown } | undefined)?.data;
      return { error: { code, message: shortMessage ?? message, data } };
    }
  });
  await context.addInitScript((name) => {
    const ask = (globalThis as unknown as { askWallet(request: unknown): Promise<Record<string, never>> }).askWallet;
    const provider = {
      async request(request: unknown): Promise<unknown> {
        const { result, error } = await ask(request);
        if (error) throw Object.assign(new Error((error as { message: string }).message), error);
        return result;
      },
    };
    const info = { uuid: "0b0f7a6e-4b8d-4b0c-9d5c-2f6f0a5f2b11", name, icon: "data:,", rdns: "test.wallet" };
    const announce = (): void => {
      const detail = Object.freeze({ info, provider });
      dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
    };
    addEventListener("eip6963:requestProvider", announce);
    announce();
  }, NAME);
  return wallet;
}
