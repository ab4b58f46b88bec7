/** Cases: a task of a certified batch before a jury. */

import { keccak, keccakWords, Packer, Unpacker, type Hex } from "./bytes";
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

/** The word that says so. */
export function packFacts(facts: CaseFacts): bigint {
  return new Packer()
    .put(facts.batch, 32)
    .put(facts.index, 32)
    .put(facts.level, 8)
    .put(facts.kind, 8)
    .put(facts.seats, 8)
    .put(facts.runtime, 8)
    .put(facts.window, 32)
    .put(facts.openedAt, 40)
    .put(facts.openedBlock, 40)
    .put(facts.verdictBefore, 8).value;
}

/** What is at stake in a case. */
export interface CaseStakes {
  readonly bond: bigint;
  readonly runtimeBond: bigint;
  readonly slash: bigint;
  readonly pool: number;
}

export function caseStakes(stakes: bigint): CaseStakes {
  const fields = new Unpacker(stakes);
  return { bond: fields.take(128), runtimeBond: fields.take(64), slash: fields.take(40), pool: fields.number(24) };
}

export function packStakes(stakes: CaseStakes): bigint {
  return new Packer().put(stakes.bond, 128).put(stakes.runtimeBond, 64).put(stakes.slash, 40).put(stakes.pool, 24)
    .value;
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
