/** Calls that wallets send: a selector and words, with bytes and texts behind them. `test/abi.test.ts` holds them to the ABI. */

import { concat, fromHex, padded, toHex, word, type Hex } from "../protocol/bytes";
import { CASE, type Case } from "../protocol/cases";
import { CERTIFICATE, packMember, roster } from "../protocol/certificate";
import { encode } from "../protocol/struct";
import { caseTermsOf } from "../protocol/terms";
import { selector } from "../verify/chain";
import type { Claimed } from "../verify/verify";

/** A transaction for a wallet to send. */
export interface Call {
  readonly to: Hex;
  readonly data: Hex;
  readonly value?: bigint;
}

type Argument = bigint | number | Hex | { readonly bytes: Uint8Array } | { readonly words: Uint8Array };

/** Calldata of a function. Structs of static fields come as their words, `bytes` and `string` as bytes. */
export function calldata(signature: string, args: readonly Argument[]): Hex {
  const head: Uint8Array[] = [];
  const tail: Uint8Array[] = [];
  const size = (arg: Argument): number => (typeof arg === "object" && "words" in arg ? arg.words.length : 32);
  let behind = args.reduce<number>((sum, arg) => sum + size(arg), 0);
  for (const arg of args) {
    if (typeof arg === "string") head.push(padded(arg));
    else if (typeof arg !== "object") head.push(word(arg));
    else if ("words" in arg) head.push(arg.words);
    else {
      head.push(word(behind));
      const filled = new Uint8Array(Math.ceil(arg.bytes.length / 32) * 32);
      filled.set(arg.bytes);
      tail.push(word(arg.bytes.length), filled);
      behind += 32 + filled.length;
    }
  }
  return toHex(concat([fromHex(selector(signature)), ...head, ...tail]));
}

const tuple = (fields: readonly (readonly [unknown, string])[]): string =>
  `(${fields.map(([type]) => type).join(",")})`;

/** Every function that is called from here, by the contract that has it. */
export const SIGNATURES = {
  token: { approve: "approve(address,uint256)" },
  vault: { deposit: "deposit(address,uint256)", withdraw: "withdraw(uint256,address)" },
  registry: {
    registerApp: "registerApp(bytes32,bytes32,string)",
    registerDataset: "registerDataset(bytes32,bytes32,string)",
    bumpNonce: "bumpNonce(uint256)",
  },
  workforce: {
    join: "join(address,uint32,uint8,uint256,bytes)",
    addBond: "addBond(address,uint256)",
    withdrawBond: "withdrawBond(address,uint256)",
    leavePool: "leavePool(address)",
    wake: "wake(address)",
  },
  jury: { openSeal: `openSeal(${tuple(CASE.fields)},bytes32,bytes32)` },
  court: { openDispute: `openDispute(${tuple(CERTIFICATE.fields)},bytes32,uint256,uint256,bytes32)` },
} as const;

const { token, vault, registry, workforce, jury, court } = SIGNATURES;
const text = (value: string): { bytes: Uint8Array } => ({ bytes: new TextEncoder().encode(value) });

export const approve = (at: Hex, spender: Hex, amount: bigint): Call => ({
  to: at,
  data: calldata(token.approve, [spender, amount]),
});
export const deposit = (at: Hex, account: Hex, amount: bigint): Call => ({
  to: at,
  data: calldata(vault.deposit, [account, amount]),
});
export const withdraw = (at: Hex, amount: bigint, to: Hex): Call => ({
  to: at,
  data: calldata(vault.withdraw, [amount, to]),
});
export const registerApp = (at: Hex, code: Hex, runtime: Hex, name: string): Call => ({
  to: at,
  data: calldata(registry.registerApp, [code, runtime, text(name)]),
});
export const registerDataset = (at: Hex, content: Hex, key: Hex, name: string): Call => ({
  to: at,
  data: calldata(registry.registerDataset, [content, key, text(name)]),
});
export const bumpNonce = (at: Hex, asset: bigint): Call => ({ to: at, data: calldata(registry.bumpNonce, [asset]) });
export const join = (at: Hex, worker: Hex, pool: number, runtime: number, bond: bigint, signature: Hex): Call => ({
  to: at,
  data: calldata(workforce.join, [worker, pool, runtime, bond, { bytes: fromHex(signature) }]),
});
export const addBond = (at: Hex, worker: Hex, amount: bigint): Call => ({
  to: at,
  data: calldata(workforce.addBond, [worker, amount]),
});
export const withdrawBond = (at: Hex, worker: Hex, amount: bigint): Call => ({
  to: at,
  data: calldata(workforce.withdrawBond, [worker, amount]),
});
export const leavePool = (at: Hex, worker: Hex): Call => ({ to: at, data: calldata(workforce.leavePool, [worker]) });
export const wake = (at: Hex, worker: Hex): Call => ({ to: at, data: calldata(workforce.wake, [worker]) });
export const openDispute = (
  at: Hex,
  { terms, certificate, members, rivals, trail }: Omit<Claimed, "task" | "transaction" | "receipts" | "output">,
  index: number,
  seal: Hex,
): Call => ({
  to: at,
  data: calldata(court.openDispute, [
    { words: encode(CERTIFICATE, certificate) },
    roster(members.map(packMember), rivals, trail),
    caseTermsOf(terms, certificate.batch)!,
    index,
    seal,
  ]),
});
export const openSeal = (at: Hex, record: Case, finding: Hex, salt: Hex): Call => ({
  to: at,
  data: calldata(jury.openSeal, [{ words: encode(CASE, record) }, finding, salt]),
});
