/** From what a person chose to a request order: policy, manifest, caps. */

import { big, type Quote } from "../api/types";
import { toHex, ZERO_ADDRESS, type Hex } from "../protocol/bytes";
import { reaches, seatsNeeded, targetOf } from "../protocol/confidence";
import { contentId } from "../protocol/content";
import { encodeManifest, manifestId } from "../protocol/manifest";
import { DEFAULT_POLICY, type Policy, type RequestOrder } from "../protocol/orders";

/** Most executions of a task that a requester may pay for. */
const REPLICAS_MAX = 32;
/** The most that an execution may use, to choose from: it is locked for each, and what is not used comes back. */
export const FUEL_LIMITS = [100_000_000n, 1_000_000_000n, 8_000_000_000n, 64_000_000_000n] as const;
export const FUEL_LIMIT = FUEL_LIMITS[2];
const MEMORY_LIMIT = 512n << 20n;
const HOUR = 3_600n;

/** One input of a task. */
export interface Input {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Confidence from a slider's place: powers of ten with steps between, in two digits: fewer would not tell neighbours apart. */
export const SLIDER = { from: 10, to: 60 } as const;

export function confidenceAt(place: number): number {
  const value = 10 ** (place / 10);
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(value) + 1e-9) - 1);
  const round = Math.round(value / digits) * digits;
  // 10:1 of a thousand results is 9:1 of what can be said: 99:1 means one in a hundred.
  return Math.max(1, round - (place % 10 === 0 ? 1 : 0));
}

export function placeOf(confidence: number): number {
  return Math.min(SLIDER.to, Math.max(SLIDER.from, Math.round(10 * Math.log10(confidence + 1))));
}

/** A policy with enough executions to reach the confidence, and as many again for those who are wrong or away. */
export function policyFor(confidence: number, countReputation: boolean, disputeWindow: number): Policy {
  const widest = { ...DEFAULT_POLICY, confidence, countReputation, disputeWindow, replicasMax: REPLICAS_MAX };
  const needed = seatsNeeded(widest, targetOf(confidence, 0));
  return { ...widest, replicasMax: Math.min(REPLICAS_MAX, Math.max(DEFAULT_POLICY.replicasMax, 2 * needed)) };
}

/** Whether any number of executions that may be paid for reaches it. */
export function reachable(policy: Policy): boolean {
  return reaches(policy, targetOf(policy.confidence, 0));
}

/** Tasks that are certified together: few enough that a first result comes soon, enough that many cost little. */
export function batchSizeFor(tasks: number): number {
  return tasks <= 4 ? Math.max(1, tasks) : Math.min(16, Math.ceil(tasks / 4));
}

export interface Wanted {
  readonly requester: Hex;
  readonly app: bigint;
  readonly dataset: bigint;
  readonly pool: number;
  readonly policy: Policy;
  readonly fuelLimit: bigint;
  readonly inputs: readonly Input[];
  readonly nonce: bigint;
  readonly prices: { readonly app: bigint; readonly dataset: bigint; readonly fee: bigint };
}

/** The manifest's bytes, and what they and the inputs are called. */
export function manifestOf(name: string, inputs: readonly Input[]): Uint8Array<ArrayBuffer> {
  const tasks = inputs.map(({ bytes }) => ({ input: contentId(bytes), bytes: bytes.length }));
  return encodeManifest({ args: [name], env: [], tasks });
}

export function requestFor(wanted: Wanted, manifest: Uint8Array, now: bigint): RequestOrder {
  const { requester, inputs, prices } = wanted;
  return {
    requester,
    payer: requester,
    beneficiary: requester,
    app: wanted.app,
    dataset: wanted.dataset,
    pool: wanted.pool,
    appPriceMax: prices.app,
    datasetPriceMax: prices.dataset,
    feePerMfuelMax: prices.fee,
    deliveryTip: 0n,
    callback: ZERO_ADDRESS,
    callbackGas: 0,
    inputs: manifestId(manifest),
    taskCount: inputs.length,
    batchSize: batchSizeFor(inputs.length),
    fuelLimit: wanted.fuelLimit,
    memoryLimit: MEMORY_LIMIT,
    deadline: now + HOUR,
    policy: wanted.policy,
    expiry: now + HOUR / 2n,
    nonce: wanted.nonce,
    salt: toHex(crypto.getRandomValues(new Uint8Array(32))),
  };
}

/** What the executions are expected to be, to one decimal. */
export function executions(quote: Quote): string {
  return (Number(big(quote.executions_expected_milli)) / 1_000).toFixed(1);
}
