/** The list of a round (who committed to what, wave after wave), the log of what stands on chain, and entry words. */

import { concat, EncodingError, keccak, padded, toBigint, word, wordHex, ZERO_WORD, type Hex } from "./bytes";
import { LAST_WAVE } from "./lot";

export const ENTRIES_MAX = 64;
export const CLAIM = {
  leading: 0,
  ignoredBare: 249,
  shownRival: 250,
  shownAgreeing: 251,
  ignored: 252,
  lost: 253,
  unavailable: 254,
  bare: 255,
} as const;

/** One worker of a round's list. */
export interface ListEntry {
  readonly wave: number;
  readonly worker: Hex;
  /** To what; zero where it signed "unavailable". */
  readonly commitment: Hex;
}

/** Sorts and checks the entries: by wave, then by worker, each worker once. */
export function sortedList(entries: readonly ListEntry[]): ListEntry[] {
  if (entries.length > ENTRIES_MAX) throw new EncodingError(`${entries.length} entries are more than a round may have`);
  const seen = new Set<string>();
  for (const { worker, wave } of entries) {
    if (wave > LAST_WAVE) throw new EncodingError(`worker ${worker} is listed for wave ${wave}`);
    if (seen.has(worker.toLowerCase())) throw new EncodingError(`worker ${worker} is listed twice`);
    seen.add(worker.toLowerCase());
  }
  const before = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...entries].sort((a, b) => a.wave - b.wave || before(toBigint(a.worker), toBigint(b.worker)));
}

/** `listHash(wave)` of a sorted list; a wave without entries has the hash of the one before. */
export function listHash(list: readonly ListEntry[], wave: number): Hex {
  let before: Hex = ZERO_WORD;
  for (let at = 0; at <= Math.min(wave, LAST_WAVE); at++) {
    const entries = list.filter((entry) => entry.wave === at);
    if (entries.length === 0) continue;
    const words = entries.flatMap((entry) => [padded(entry.worker), padded(entry.commitment)]);
    before = keccak(concat([padded(before), ...words]));
  }
  return before;
}

/** The word of an entry in `certify`. */
export interface EntryWord {
  readonly worker: Hex;
  readonly claim: number;
  readonly wave: number;
  /** Whether the contribution stands on chain, so that no signature comes with the entry. */
  readonly onChain: boolean;
}

export function packEntry(entry: EntryWord): bigint {
  const low = (BigInt(entry.onChain) << 16n) | BigInt((entry.claim << 8) | entry.wave);
  return (toBigint(entry.worker) << 96n) | low;
}

/** Reads the word; bits outside the fields are an error. */
export function unpackEntry(value: bigint): EntryWord {
  const entry = {
    worker: addressOf(value >> 96n),
    claim: Number((value >> 8n) & 255n),
    wave: Number(value & 255n),
    onChain: ((value >> 16n) & 1n) === 1n,
  };
  if (packEntry(entry) !== value) throw new EncodingError(`entry word ${wordHex(value)} has bits outside its fields`);
  return entry;
}

/** The address in the low bits of a number. */
export function addressOf(value: bigint): Hex {
  return `0x${(value & ((1n << 160n) - 1n)).toString(16).padStart(40, "0")}`;
}

/** One item of a round's log, as it stands in calls and events. */
export interface LogItem {
  readonly word: bigint;
  readonly a: Hex;
  readonly b: Hex;
}

/** What a log item says. */
export type LogEntry =
  | {
      readonly kind: "commitment";
      readonly worker: Hex;
      readonly operator: number;
      readonly wave: number;
      readonly commitment: Hex;
    }
  | {
      readonly kind: "reveal";
      readonly worker: Hex;
      readonly fuel: bigint;
      readonly root: Hex;
      readonly ownTraceRoot: Hex;
    };

export function readLogItem({ word: value, a, b }: LogItem): LogEntry {
  const worker = addressOf(value >> 96n);
  const payload = (value >> 16n) & ((1n << 64n) - 1n);
  const wave = Number((value >> 8n) & 255n);
  const kind = value & 255n;
  if (kind === 1n) return { kind: "commitment", worker, operator: Number(payload), wave, commitment: a };
  if (kind === 2n) return { kind: "reveal", worker, fuel: payload, root: a, ownTraceRoot: b };
  throw new EncodingError(`log item ${wordHex(value)} is none`);
}

/** What of a hash fits a batch's slot: its high 216 bits, in place. */
export function slotPart(hash: Hex): bigint {
  return (toBigint(hash) >> 40n) << 40n;
}

/** The hash of a round's log, as it stands in the batch's slot; zero for no items. */
export function logHash(round: Hex, items: readonly LogItem[]): bigint {
  if (items.length === 0) return 0n;
  return items.reduce(
    (hash, item) => slotPart(keccak(concat([word(hash), word(item.word), padded(item.a), padded(item.b)]))),
    toBigint(round),
  );
}
