/** The result bundle of a batch: receipts and outputs, as `guildhall-api`'s `bundle.rs` writes it. */

import { fromHex, keccak, toBigint, toHex, type Hex } from "../protocol/bytes";
import { showContentId } from "../protocol/content";
import { EXITS, type Receipt } from "../protocol/receipts";

const MAGIC: Hex = "0x47484201";
const HEADER_BYTES = 8;
const RECORD_BYTES = 113;
const INLINE_OUTPUT_BYTES = 64 << 10;
const INLINE_TOTAL_BYTES = 32 << 20;
const MAX_TASKS = 1 << 18;
const NO_ID = `b3:${"0".repeat(64)}`;

/** Where the output of one task is: in the bundle, or a blob of its own. */
export type Output =
  | { readonly kind: "inline"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "blob"; readonly contentId: string; readonly size: bigint };

export interface Bundle {
  readonly receipts: readonly Receipt[];
  readonly outputs: readonly Output[];
}

/** Bytes that are no bundle, or one whose outputs are not those of its receipts. */
export class BundleError extends Error {
  override name = "BundleError";
}

function readRecord(index: number, record: Uint8Array): { receipt: Receipt; size: bigint; id: string } {
  if (record[0]! >= EXITS.length) throw new BundleError(`the receipt of task ${index} has an exit that does not exist`);
  const receipt = {
    index,
    exit: record[0]!,
    fuel: toBigint(record.subarray(1, 9)),
    outputDigest: toHex(record.subarray(9, 41)),
    traceDigest: toHex(record.subarray(41, 73)),
  };
  return { receipt, size: toBigint(record.subarray(73, 81)), id: showContentId(toHex(record.subarray(81, 113))) };
}

/**
 * Reads a bundle. Outputs are not compared with their receipts here: that is a step of its own of a verification, and a
 * reader wants to see which of them differs.
 */
export function readBundle(bytes: Uint8Array<ArrayBuffer>): Bundle {
  const malformed = () => new BundleError(`these ${bytes.length} bytes are not a result bundle of version 1`);
  if (bytes.length < HEADER_BYTES || toHex(bytes.subarray(0, 4)) !== MAGIC) throw malformed();
  const tasks = Number(toBigint(bytes.subarray(4, 8)));
  const records = HEADER_BYTES + tasks * RECORD_BYTES;
  if (tasks > MAX_TASKS || bytes.length < records) throw malformed();
  const limit = BigInt(Math.min(INLINE_OUTPUT_BYTES, Math.floor(INLINE_TOTAL_BYTES / Math.max(tasks, 1))));
  const bundle = { receipts: [] as Receipt[], outputs: [] as Output[] };
  let start = records;
  for (let index = 0; index < tasks; index++) {
    const at = HEADER_BYTES + index * RECORD_BYTES;
    const { receipt, size, id } = readRecord(index, bytes.subarray(at, at + RECORD_BYTES));
    const isBlob = size > limit;
    if (isBlob !== (id !== NO_ID)) throw new BundleError(`output ${index} is not where one of its length belongs`);
    bundle.receipts.push(receipt);
    if (isBlob) {
      bundle.outputs.push({ kind: "blob", contentId: id, size });
      continue;
    }
    const end = start + Number(size);
    if (end > bytes.length) throw malformed();
    bundle.outputs.push({ kind: "inline", bytes: bytes.slice(start, end) });
    start = end;
  }
  if (start !== bytes.length) throw malformed();
  return bundle;
}

/** Writes a bundle whose outputs all stand in it: for tests and recorded answers. */
export function writeBundle(receipts: readonly Receipt[], outputs: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const inline = outputs.reduce((sum, output) => sum + output.length, 0);
  const bytes = new Uint8Array(HEADER_BYTES + receipts.length * RECORD_BYTES + inline);
  const view = new DataView(bytes.buffer);
  bytes.set(fromHex(MAGIC));
  view.setUint32(4, receipts.length);
  let at = HEADER_BYTES;
  receipts.forEach((receipt, index) => {
    bytes[at] = receipt.exit;
    view.setBigUint64(at + 1, receipt.fuel);
    bytes.set(fromHex(receipt.outputDigest), at + 9);
    bytes.set(fromHex(receipt.traceDigest), at + 41);
    view.setBigUint64(at + 73, BigInt(outputs[index]!.length));
    at += RECORD_BYTES;
  });
  for (const output of outputs) {
    bytes.set(output, at);
    at += output.length;
  }
  return bytes;
}

/** What a receipt says of an output. */
export function outputDigest(output: Uint8Array): Hex {
  return keccak(output);
}
