/** What the gateway claims of a task, put together for a verification. */

import { bytes } from "../api/client";
import { big, type BatchWhole, type Deal, type Task } from "../api/types";
import { contentDigest, readContentId } from "../protocol/content";
import { CERTIFICATE, type Member } from "../protocol/certificate";
import type { Hex } from "../protocol/bytes";
import { fromJson } from "../protocol/struct";
import { TERMS } from "../protocol/terms";
import { readBundle } from "../verify/bundle";
import type { Claimed } from "../verify/verify";

const lower = (hex: Hex): Hex => hex.toLowerCase() as Hex;

/** Receipts and the task's output, from the pool's coordinator by way of the gateway. */
export async function fetchOutput(
  deal: Hex,
  batch: number,
  index: number,
  signal?: AbortSignal,
): Promise<Pick<Claimed, "receipts"> & { output: Uint8Array<ArrayBuffer> }> {
  const bundle = readBundle(await bytes(`/deals/${deal}/results/${batch}`, signal));
  const output = bundle.outputs[index];
  if (!output) throw new RangeError(`the bundle has no output ${index}`);
  const found = output.kind === "inline" ? output.bytes : await bytes(`/blobs/${output.contentId}`, signal);
  return { receipts: bundle.receipts, output: found };
}

/** Everything that is claimed of a task; nothing while its batch has no certificate. */
export function claimedBy(deal: Deal, task: Task, found: Pick<Claimed, "receipts" | "output">): Claimed | undefined {
  const row: BatchWhole["certificate"] = task.batch.certificate;
  if (!row) return undefined;
  const members: Member[] = row.members.map((member) => ({
    worker: lower(member.worker),
    claim: member.claim,
    wave: member.wave,
    slash: big(member.slash),
    exposure: big(member.exposure),
  }));
  return {
    task: task.task,
    terms: fromJson(TERMS, deal.terms),
    certificate: fromJson(CERTIFICATE, row.certificate),
    members,
    rivals: row.rivals.map((rival) => ({ root: lower(rival.root), fuel: big(rival.fuel) })),
    trail: big(row.trail),
    transaction: row.at.transaction,
    ...found,
  };
}

/** Larger inputs are not fetched to be looked at. */
const INPUT_SHOWN_MAX = 8 << 20;

interface Runs {
  readonly tasks: readonly { readonly input: string; readonly bytes: number; readonly times?: number }[];
}

/** A task's input, checked by its content id down from the deal's terms; nothing where it is too large to look at. */
export async function fetchInput(
  inputs: string,
  task: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const named = async (id: string): Promise<Uint8Array<ArrayBuffer>> => {
    const found = await bytes(`/blobs/${id}`, signal);
    if (contentDigest(found) !== readContentId(id))
      throw new RangeError("these are other bytes than those that were named");
    return found;
  };
  const manifest = JSON.parse(new TextDecoder().decode(await named(`b3:${inputs.slice(2).toLowerCase()}`))) as Runs;
  let end = 0;
  const run = manifest.tasks.find((one) => task < (end += one.times ?? 1));
  return run && run.bytes <= INPUT_SHOWN_MAX ? named(run.input) : undefined;
}
