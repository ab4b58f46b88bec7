/** Confidence: weights, groups and odds in millionths, every division rounded down, every product ending at 2^128 - 1. */

import { min } from "./bytes";
import type { Policy } from "./orders";

export const MICRO = 1_000_000n;
export const BPS = 10_000n;
const U128_MAX = (1n << 128n) - 1n;
const STEP_MAX = (1n << 48n) - 1n;
/** At a half a claim weighs nothing extra. */
const FAULTY_SHARE_CAP_BPS = 5_000n;
/** How much reputation may count. */
const SCALE_CAP = 20n;

function saturate(value: bigint): bigint {
  return min(value, U128_MAX);
}

/** What weights are computed with. */
export interface Weighing {
  readonly faultyShareBps: number;
  readonly countReputation: boolean;
  /** Points that halve the odds of a fault in the batch. */
  readonly step: bigint;
}

/** The weighing that a policy asks for, of a batch of so many tasks: an audit looks at one of them. */
export function weighingOf(policy: Policy, reputationStep: number, tasks: number): Weighing {
  return {
    faultyShareBps: policy.faultyShareBps,
    countReputation: policy.countReputation,
    step: BigInt(Math.max(1, reputationStep)) * BigInt(Math.max(1, tasks)),
  };
}

/** The weight of one worker's claim: `floor(1e10 * scale / (f * step)) - 1e6`. */
export function weightOf(weighing: Weighing, reputation: number, wave: number): bigint {
  const doubled = BigInt(weighing.faultyShareBps) << BigInt(Math.min(wave, 16));
  const f = doubled < 1n ? 1n : min(doubled, FAULTY_SHARE_CAP_BPS);
  const step = weighing.step < 1n ? 1n : min(weighing.step, STEP_MAX);
  const earned = weighing.countReputation ? BigInt(reputation) : 0n;
  const scale = min(step + earned, SCALE_CAP * step);
  return (BPS * MICRO * scale) / (f * step) - MICRO;
}

/** The weight of a worker without reputation in wave 0. */
export function freshWeight(policy: Policy): bigint {
  return weightOf(weighingOf(policy, 1, 1), 0, 0);
}

/** Product of the members' weights, rounded down at each step: the order of the list is part of the rule. */
export function groupOf(weights: Iterable<bigint>): bigint {
  let product = MICRO;
  for (const weight of weights) product = saturate((product * weight) / MICRO);
  return product;
}

/** What opposes the leading group. */
export function opposingOf(rivals: Iterable<bigint>, silent: Iterable<bigint>): bigint {
  let sum = 0n;
  for (const weight of rivals) sum = saturate(sum + weight);
  for (const weight of silent) sum = saturate(sum + weight);
  return sum;
}

/** Odds to one that the leading root is right, in millionths. */
export function oddsOf(leading: bigint, opposing: bigint): bigint {
  return saturate((leading * MICRO) / (MICRO + opposing));
}

/** The odds that a certificate needs: the policy's, times four for each re-opened attempt. */
export function targetOf(confidence: number, attempt: number): bigint {
  return saturate(BigInt(confidence) * MICRO * 4n ** BigInt(attempt));
}

/** Fewest operators whose fresh weights reach the target: `replicasMin` at least, `replicasMax` at most. */
export function seatsNeeded(policy: Policy, target: bigint): number {
  const fresh = freshWeight(policy);
  let seats = policy.replicasMin;
  let reached = groupOf(Array<bigint>(seats).fill(fresh));
  while (reached < target && seats < policy.replicasMax) {
    seats++;
    reached = saturate((reached * fresh) / MICRO);
  }
  return Math.min(seats, policy.replicasMax);
}

/** Whether `replicasMax` fresh operators that all agree reach the target. */
export function reaches(policy: Policy, target: bigint): boolean {
  return groupOf(Array<bigint>(policy.replicasMax).fill(freshWeight(policy))) >= target;
}
