/** Receipts, and the tree over a batch's receipts whose path is the index. */

import { concat, fromHex, keccak, keccakWords, ZERO_WORD, type Hex } from "./bytes";

/** How an execution ended, in the order of its number. */
export const EXITS = ["ok", "app_error", "out_of_fuel", "out_of_memory", "too_deep", "trap"] as const;
export type Exit = (typeof EXITS)[number];

/** What one execution produced. */
export interface Receipt {
  /** Position of the task in its batch, from zero. */
  readonly index: number;
  readonly exit: number;
  readonly fuel: bigint;
  readonly outputDigest: Hex;
  readonly traceDigest: Hex;
}

/** A receipt with what proves it under its batch's root. */
export interface ReceiptProof {
  readonly receipt: Receipt;
  /** Fuel of tasks 0 to this one. */
  readonly cumulativeFuel: bigint;
  /** From the lowest level up. */
  readonly proof: readonly Hex[];
}

/** Deepest tree: a batch has 65,536 tasks at most. */
const MAX_DEPTH = 16;

/** The leaf that stands for a receipt. */
export function leafOf(receipt: Receipt, cumulativeFuel: bigint): Hex {
  const { index, exit, fuel, outputDigest, traceDigest } = receipt;
  return keccakWords(index, exit, fuel, cumulativeFuel, outputDigest, traceDigest);
}

/** Levels above so many leaves: `ceil(log2(leaves))`. */
export function depthOf(leaves: number): number {
  let depth = 0;
  while (2 ** depth < leaves) depth++;
  return depth;
}

function node(left: Hex, right: Hex): Hex {
  return keccak(concat([fromHex(left, 32), fromHex(right, 32)]));
}

/** All levels of the tree over these leaves, the lowest first; missing leaves are zero words. */
function levelsOf(leaves: readonly Hex[]): { levels: Hex[][]; padding: Hex[] } {
  if (leaves.length === 0 || leaves.length > 2 ** MAX_DEPTH)
    throw new RangeError(`${leaves.length} leaves make no tree`);
  const levels = [[...leaves]];
  const padding: Hex[] = [ZERO_WORD];
  for (let level = 0; level < depthOf(leaves.length); level++) {
    const below = levels[level]!;
    const filler = padding[level]!;
    const above: Hex[] = [];
    for (let at = 0; at < below.length; at += 2) above.push(node(below[at]!, below[at + 1] ?? filler));
    levels.push(above);
    padding.push(node(filler, filler));
  }
  return { levels, padding };
}

/** The root over these leaves. */
export function rootOf(leaves: readonly Hex[]): Hex {
  return levelsOf(leaves).levels.at(-1)![0]!;
}

/** The words that prove the leaf at `index`, from the lowest level up. */
export function proofOf(leaves: readonly Hex[], index: number): Hex[] {
  if (!(index >= 0 && index < leaves.length)) throw new RangeError(`no leaf at ${index} of ${leaves.length}`);
  const { levels, padding } = levelsOf(leaves);
  return levels.slice(0, -1).map((level, height) => level[(index >> height) ^ 1] ?? padding[height]!);
}

/**
 * Whether `leaf` stands at `index` of a tree of `leaves` leaves under `root`. The proof must have exactly the tree's
 * depth, so that a node can't pass for a leaf.
 */
export function standsUnder(root: Hex, leaves: number, index: number, leaf: Hex, proof: readonly Hex[]): boolean {
  if (!(index >= 0 && index < leaves) || leaves > 2 ** MAX_DEPTH || proof.length !== depthOf(leaves)) return false;
  const top = proof.reduce<Hex>(
    (below, sibling, height) => (((index >> height) & 1) === 1 ? node(sibling, below) : node(below, sibling)),
    leaf,
  );
  return top === root.toLowerCase();
}

/** Whether the receipt stands under `root`, of a batch of `tasks` tasks. */
export function proves(of: ReceiptProof, root: Hex, tasks: number): boolean {
  return standsUnder(root, tasks, of.receipt.index, leafOf(of.receipt, of.cumulativeFuel), of.proof);
}

/** The proof of one receipt out of all of its batch, in the tasks' order. */
export function proveOne(receipts: readonly Receipt[], index: number): ReceiptProof {
  let total = 0n;
  const cumulative = receipts.map((receipt, position) => {
    if (receipt.index !== position) throw new RangeError(`the receipt at ${position} is of task ${receipt.index}`);
    return (total += receipt.fuel);
  });
  const leaves = receipts.map((receipt, position) => leafOf(receipt, cumulative[position]!));
  const proof = proofOf(leaves, index);
  return { receipt: receipts[index]!, cumulativeFuel: cumulative[index]!, proof };
}
