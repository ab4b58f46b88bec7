/**
 * Reads the chain through a wallet (EIP-1193) or a node that the reader chose, never through the gateway: what is verified
 * must not come from who is verified.
 */

import { concat, fromHex, keccak, padded, toBigint, toHex, word, type Hex } from "../protocol/bytes";
import { addressOf } from "../protocol/list";

/** What wallets offer, and what an RPC address is wrapped into. */
export interface Provider {
  request(args: { method: string; params?: unknown }): Promise<unknown>;
}

/** The node did not answer, or answered something that is none. */
export class ChainError extends Error {
  override name = "ChainError";

  constructor(
    message: string,
    /** What a contract reverted with, if one did. */
    readonly revert?: Hex,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 15_000;

/** A node at a URL. */
export function httpProvider(url: string): Provider {
  let id = 0;
  return {
    async request({ method, params }) {
      const body = JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params: params ?? [] });
      let answer: { result?: unknown; error?: { message?: string; data?: unknown } };
      try {
        const response = await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body,
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        answer = await response.json();
      } catch (error) {
        throw new ChainError(
          `the node at ${url} did not answer: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      if (answer.error) throw refusal(answer.error);
      return answer.result;
    },
  };
}

function refusal(error: { message?: string; data?: unknown }): ChainError {
  const inner =
    typeof error.data === "object" && error.data !== null ? (error.data as { data?: unknown }).data : error.data;
  const revert = typeof inner === "string" && /^0x[0-9a-f]*$/i.test(inner) ? (inner as Hex) : undefined;
  return new ChainError(error.message ?? "the node refused", revert);
}

/** A block to read at. */
export interface Head {
  readonly number: bigint;
  readonly time: bigint;
}

/** Selector of a function, or of an error, by its text in Solidity. */
export function selector(signature: string): Hex {
  return keccak(new TextEncoder().encode(signature)).slice(0, 10) as Hex;
}

type Argument = bigint | number | Hex;

export class Chain {
  constructor(private readonly provider: Provider) {}

  private async ask(method: string, params: unknown[]): Promise<unknown> {
    try {
      return await this.provider.request({ method, params });
    } catch (error) {
      if (error instanceof ChainError) throw error;
      throw refusal(error as { message?: string; data?: unknown });
    }
  }

  async chainId(): Promise<bigint> {
    return BigInt((await this.ask("eth_chainId", [])) as string);
  }

  /** The latest block. */
  async head(): Promise<Head> {
    const block = (await this.ask("eth_getBlockByNumber", ["latest", false])) as {
      number: string;
      timestamp: string;
    } | null;
    if (!block) throw new ChainError("the node has no latest block");
    return { number: BigInt(block.number), time: BigInt(block.timestamp) };
  }

  /** Calls a view whose arguments and answers are words. */
  async call(to: Hex, signature: string, args: readonly Argument[], at: bigint): Promise<Hex[]> {
    const words = args.map((arg) => (typeof arg === "string" ? padded(arg) : word(arg)));
    const data = toHex(concat([fromHex(selector(signature)), ...words]));
    const block = `0x${at.toString(16)}`;
    const answer = fromHex((await this.ask("eth_call", [{ to, data }, block])) as string);
    if (answer.length === 0 || answer.length % 32 !== 0) throw new ChainError(`nothing at ${to} answers ${signature}`);
    const found: Hex[] = [];
    for (let from = 0; from < answer.length; from += 32) found.push(toHex(answer.subarray(from, from + 32)));
    return found;
  }

  /** Calls a view that answers one number. */
  async number(to: Hex, signature: string, args: readonly Argument[], at: bigint): Promise<bigint> {
    return toBigint((await this.call(to, signature, args, at))[0]!);
  }

  /** Calls a view that answers one address. */
  async address(to: Hex, signature: string, at: bigint): Promise<Hex> {
    return addressOf(await this.number(to, signature, [], at));
  }

  /** The calldata of a transaction with the block that it is in; nothing where the node has none. */
  async transaction(hash: Hex): Promise<{ input: Hex; to: Hex | null; block: bigint } | undefined> {
    const found = (await this.ask("eth_getTransactionByHash", [hash])) as Record<string, string> | null;
    if (!found?.["blockNumber"] || !found["input"]) return undefined;
    const to = found["to"] ? (found["to"].toLowerCase() as Hex) : null;
    return { input: found["input"] as Hex, to, block: BigInt(found["blockNumber"]) };
  }
}

/** A worker's word: what of it a verification needs. */
export function reputationOf(workerWord: bigint): number {
  return Number((workerWord >> 88n) & 0xffffn);
}
