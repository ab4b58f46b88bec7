/** Cases: a task of a certified batch before a jury. */

import { keccak, keccakWords, Unpacker, type Hex } from "./bytes";
import type { Receipt } from "./receipts";
import { encode, struct, type Of } from "./struct";

export const CASE = struct("Case", [
  ["bytes32", "dealId"],
  ["uint256", "facts"],
  ["uint256", "stakes"],
  ["address", "opener"],
  ["address", "worker"],
  ["bytes32", "seal"],
  ["bytes32", "before"],
]);
export type Case = Of<typeof CASE>;

export function caseId(record: Case): Hex {
  return keccak(encode(CASE, record));
}

/** What the facts of a case say. */
export interface CaseFacts {
  readonly batch: number;
  readonly index: number;
  readonly level: number;
  readonly kind: number;
  readonly seats: number;
  readonly runtime: number;
  readonly window: bigint;
  readonly openedAt: bigint;
  readonly openedBlock: bigint;
  readonly verdictBefore: number;
}

export function caseFacts(facts: bigint): CaseFacts {
  const fields = new Unpacker(facts);
  return {
    batch: fields.number(32),
    index: fields.number(32),
    level: fields.number(8),
    kind: fields.number(8),
    seats: fields.number(8),
    runtime: fields.number(8),
    window: fields.take(32),
    openedAt: fields.take(40),
    openedBlock: fields.take(40),
    verdictBefore: fields.number(8),
  };
}

/** The ends of a case's windows: jurors commit, then reveal; a first verdict may be appealed. */
export function caseWindows(facts: CaseFacts): { commitEnd: bigint; revealEnd: bigint; appealEnd: bigint } {
  const after = (windows: bigint): bigint => facts.openedAt + windows * facts.window;
  return { commitEnd: after(3n), revealEnd: after(4n), appealEnd: after(facts.level > 1 ? 4n : 6n) };
}

/** What a juror says of a task: its receipt without the cumulative fuel. */
export function findingOf(receipt: Receipt): Hex {
  return keccakWords(receipt.index, receipt.exit, receipt.fuel, receipt.outputDigest, receipt.traceDigest);
}

/** The opener's finding, hidden until the jury has committed. */
export function sealOf(opener: Hex, deal: Hex, batch: number, index: number, finding: Hex, salt: Hex): Hex {
  return keccakWords(opener, deal, batch, index, finding, salt);
}

/** A juror's commitment. */
export function jurorCommitment(juror: Hex, caseId: Hex, finding: Hex, ownTrace: Hex): Hex {
  return keccakWords(juror, caseId, finding, ownTrace);
}
