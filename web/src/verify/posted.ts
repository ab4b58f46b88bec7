/** What `certify` and `certifyMany` were called with: read from calldata, which is words with offsets. */

import { fromHex, toBigint, toHex, type Hex } from "../protocol/bytes";
import type { Claim } from "../protocol/certificate";
import { unpackEntry, type EntryWord } from "../protocol/list";
import type { CompactSignature } from "../protocol/signatures";
import { TERMS } from "../protocol/terms";
import { selector } from "./chain";

/** An entry of the list as it was posted: what it proves, and the worker's signature over it. */
export interface PostedEntry {
  readonly word: EntryWord;
  readonly proof: Hex;
  readonly signature: CompactSignature;
}

export interface Posted {
  readonly claims: readonly Claim[];
  readonly entries: readonly PostedEntry[];
}

const TERMS_TYPE = `(${TERMS.fields.map(([type]) => type).join(",")})`;
const CLAIMS_TYPE = "(bytes32,uint64)[]";
const ENTRIES_TYPE = "(uint256,bytes32,bytes32,bytes32)[]";
const LOG_TYPE = "(uint256,bytes32,bytes32)[]";
const PARTS = `uint256,${CLAIMS_TYPE},${ENTRIES_TYPE},${LOG_TYPE}`;
export const CERTIFY = `certify(${TERMS_TYPE},${PARTS})`;
export const CERTIFY_MANY = `certifyMany(${TERMS_TYPE},(${PARTS})[])`;
const TERMS_WORDS = TERMS.fields.length;
/** More than a transaction can hold: keeps a false length from making us loop. */
const ITEMS_MAX = 4_096;

class Words {
  constructor(private readonly bytes: Uint8Array) {}

  hex(at: number): Hex {
    const found = this.bytes.subarray(at * 32, at * 32 + 32);
    if (found.length !== 32) throw new RangeError("the calldata ends early");
    return toHex(found);
  }

  number(at: number): number {
    const value = toBigint(this.hex(at));
    if (value > BigInt(this.bytes.length)) throw new RangeError("the calldata points outside of itself");
    return Number(value);
  }

  /** Index of the word that an offset at `at` points to, counted from `base`. */
  follow(base: number, at: number): number {
    const offset = this.number(at);
    if (offset % 32 !== 0) throw new RangeError("the calldata points between words");
    return base + offset / 32;
  }

  /** Items of an array of static tuples of `size` words. */
  items(start: number, size: number): number[] {
    const count = this.number(start);
    if (count > ITEMS_MAX) throw new RangeError("the calldata has too many items");
    return Array.from({ length: count }, (_, at) => start + 1 + at * size);
  }
}

/** One batch's part, whose head (batch, claims, entries, log) is at `head` and whose offsets count from `base`. */
function part(words: Words, base: number, head: number): { batch: bigint } & Posted {
  const claims = words.items(words.follow(base, head + 1), 2).map((at) => ({
    root: words.hex(at),
    fuel: toBigint(words.hex(at + 1)),
  }));
  const entries = words.items(words.follow(base, head + 2), 4).map((at) => ({
    word: unpackEntry(toBigint(words.hex(at))),
    proof: words.hex(at + 1),
    signature: { r: words.hex(at + 2), vs: words.hex(at + 3) },
  }));
  return { batch: toBigint(words.hex(head)), claims, entries };
}

/** What was posted for a batch of a deal; nothing where the calldata is no certification of it. */
export function readPosted(input: Hex, deal: Hex, batch: number): Posted | undefined {
  const kind = input.slice(0, 10).toLowerCase();
  try {
    const words = new Words(fromHex(`0x${input.slice(10)}`));
    if (words.hex(0) !== deal) return undefined;
    if (kind === selector(CERTIFY)) {
      const found = part(words, 0, TERMS_WORDS);
      return found.batch === BigInt(batch) ? found : undefined;
    }
    if (kind !== selector(CERTIFY_MANY)) return undefined;
    const start = words.follow(0, TERMS_WORDS);
    const parts = words.items(start, 1).map((at) => {
      const base = words.follow(start + 1, at);
      return part(words, base, base);
    });
    return parts.find((one) => one.batch === BigInt(batch));
  } catch {
    return undefined;
  }
}
