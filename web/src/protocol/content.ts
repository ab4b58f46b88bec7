/** Content ids: BLAKE3 of bytes. They name apps, datasets, inputs and outputs. */

import { blake3 } from "@noble/hashes/blake3";

import { concat, fromHex, toHex, word, type Hex } from "./bytes";

/** The id of these bytes as the contracts have it. */
export function contentDigest(bytes: Uint8Array): Hex {
  return toHex(blake3(bytes));
}

/** The id of these bytes as people and HTTP have it: `b3:` and 64 digits. */
export function contentId(bytes: Uint8Array): string {
  return showContentId(contentDigest(bytes));
}

/** `b3:` and the digits of a digest. */
export function showContentId(digest: Hex): string {
  return `b3:${digest.slice(2)}`;
}

/** The digest that an id names; nothing where the text is none. */
export function readContentId(text: string): Hex | undefined {
  return /^(b3:|0x)[0-9a-f]{64}$/.test(text) ? `0x${text.slice(-64)}` : undefined;
}

function deriveKey(context: string, material: Uint8Array): Hex {
  return toHex(blake3(material, { context: new TextEncoder().encode(context) }));
}

function uint32(value: number): Uint8Array {
  return word(value).subarray(28);
}

/** The key of a worker's own trace for one task of one round. */
export function ownTraceKey(worker: Hex, round: Hex, index: number): Hex {
  return deriveKey("guildhall 2026-11 own trace", concat([fromHex(worker, 20), fromHex(round, 32), uint32(index)]));
}

/** Where a task's random bytes come from: the same for everybody who executes it. */
export function taskSeed(deal: Hex, task: number): Hex {
  return deriveKey("guildhall 2026-11 task seed", concat([fromHex(deal, 32), uint32(task)]));
}
