/** Forecasts: how many executions a certificate is likely to take, as integers of 18 decimals. */

import { freshWeight, groupOf, oddsOf } from "./confidence";
import type { Policy } from "./orders";

const ONE = 10n ** 18n;

export interface Forecast {
  /** Executions until the round is decided, in thousandths, on average. */
  readonly executionsMilli: number;
  /** Of a million rounds, those that no number of executions up to `replicasMax` decides. */
  readonly undecidedPpm: number;
  /** Of a million rounds, those in which the wrong root would reach the odds. */
  readonly wrongPpm: number;
}

/** A walk over (right, wrong) contributions, one at a time, until one side stands: see `forecast.rs`. */
export function forecast(policy: Policy, target: bigint): Forecast {
  const fresh = freshWeight(policy);
  const faulty = (ONE * BigInt(Math.min(policy.faultyShareBps, 10_000))) / 10_000n;
  const side = (members: number): bigint => groupOf(Array<bigint>(members).fill(fresh));
  const stands = (ours: number, theirs: number): boolean =>
    ours >= policy.replicasMin && oddsOf(side(ours), theirs === 0 ? 0n : side(theirs)) >= target;
  let [executions, undecided, wrong] = [0n, 0n, 0n];
  let chances = [ONE];
  for (let n = 1; n <= policy.replicasMax; n++) {
    const next = Array<bigint>(n + 1).fill(0n);
    chances.forEach((chance, d) => {
      next[d]! += (chance * (ONE - faulty)) / ONE;
      next[d + 1]! += (chance * faulty) / ONE;
    });
    next.forEach((chance, d) => {
      const [right, other] = [stands(n - d, d), stands(d, n - d)];
      if (!right && !other) return;
      executions += chance * BigInt(n);
      if (!right) wrong += chance;
      next[d] = 0n;
    });
    undecided = next.reduce((sum, chance) => sum + chance, 0n);
    chances = next;
  }
  executions += undecided * BigInt(policy.replicasMax);
  return {
    executionsMilli: Number(executions / (ONE / 1_000n)),
    undecidedPpm: Number(undecided / (ONE / 1_000_000n)),
    wrongPpm: Number(wrong / (ONE / 1_000_000n)),
  };
}
