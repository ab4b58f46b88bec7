/** Terms: a matched deal, whole. The chain keeps their hash, and every later call brings them back. */

import { divCeil, keccak, keccakWords, Packer, toBigint, Unpacker, type Hex } from "./bytes";
import { unpackPolicy, type Policy } from "./orders";
import { encode, struct, type Of } from "./struct";

export const TERMS = struct("Terms", [
  ["bytes32", "dealId"],
  ["address", "requester"],
  ["address", "payer"],
  ["address", "beneficiary"],
  ["uint256", "app"],
  ["address", "appOwner"],
  ["uint96", "appPrice"],
  ["uint256", "dataset"],
  ["address", "datasetOwner"],
  ["uint96", "datasetPrice"],
  ["uint32", "pool"],
  ["uint96", "feePerMfuel"],
  ["uint96", "minimumFee"],
  ["uint96", "deliveryTip"],
  ["address", "callback"],
  ["uint32", "callbackGas"],
  ["bytes32", "inputs"],
  ["uint32", "taskCount"],
  ["uint32", "batchSize"],
  ["uint64", "fuelLimit"],
  ["uint64", "memoryLimit"],
  ["uint64", "deadline"],
  ["uint256", "policy"],
  ["uint256", "opened"],
]);
export type Terms = Of<typeof TERMS>;

/** What the chain keeps of the deal. */
export function termsHash(terms: Terms): Hex {
  return keccak(encode(TERMS, terms));
}

/** Hash of what a delivery needs of the terms; a certificate carries it. */
export function deliveryHash(terms: Terms): Hex {
  const callback = toBigint(terms.callback) | (BigInt(terms.callbackGas) << 160n) | (BigInt(terms.pool) << 192n);
  const sizes = BigInt(terms.taskCount) | (BigInt(terms.batchSize) << 32n) | (terms.deliveryTip << 64n);
  return keccakWords(terms.requester, terms.app, terms.dataset, terms.inputs, callback, sizes);
}

/** What cases about a batch need of the terms, in one word; nothing where the deal has no such batch. */
export function caseTermsOf(terms: Terms, batch: number): bigint | undefined {
  const tasks = tasksOf(terms, batch);
  if (tasks === undefined) return undefined;
  const { runtime, patience } = unpackOpened(terms.opened);
  const fee = divCeil(terms.fuelLimit * terms.feePerMfuel, 1_000_000n);
  const most = (1n << 96n) - 1n;
  const word = new Packer()
    .put(fee < most ? fee : most, 96)
    .put(tasks, 32)
    .put(runtime, 8);
  return word.put(patience, 40).put(terms.pool, 32).value;
}

export function policyOf(terms: Terms): Policy {
  return unpackPolicy(terms.policy);
}

/** Where and when a deal opened, and what it took over from the chain at that moment. */
export interface Opened {
  readonly block: bigint;
  readonly time: bigint;
  readonly poolBond: bigint;
  readonly parameters: number;
  readonly runtime: number;
  readonly poolShareBps: number;
  readonly protocolFeeBps: number;
  readonly reputationStep: number;
  readonly patience: bigint;
}

export function packOpened(opened: Opened): bigint {
  return new Packer()
    .put(opened.block, 40)
    .put(opened.time, 40)
    .put(opened.poolBond, 64)
    .put(opened.parameters, 16)
    .put(opened.runtime, 8)
    .put(opened.poolShareBps, 16)
    .put(opened.protocolFeeBps, 16)
    .put(opened.reputationStep, 16)
    .put(opened.patience, 40).value;
}

export function unpackOpened(word: bigint): Opened {
  const fields = new Unpacker(word);
  return {
    block: fields.take(40),
    time: fields.take(40),
    poolBond: fields.take(64),
    parameters: fields.number(16),
    runtime: fields.number(8),
    poolShareBps: fields.number(16),
    protocolFeeBps: fields.number(16),
    reputationStep: fields.number(16),
    patience: fields.take(40),
  };
}

/** Batches of a deal. */
export function batchesOf(terms: Pick<Terms, "taskCount" | "batchSize">): number {
  return terms.batchSize === 0 ? 0 : Math.ceil(terms.taskCount / terms.batchSize);
}

/** Tasks of this batch; nothing where the deal has no such batch. */
export function tasksOf(terms: Pick<Terms, "taskCount" | "batchSize">, batch: number): number | undefined {
  if (!(batch >= 0 && batch < batchesOf(terms))) return undefined;
  return Math.min(terms.batchSize, terms.taskCount - batch * terms.batchSize);
}

/** The batch of this task of the deal, and its position there; nothing where the deal has no such task. */
export function locate(
  terms: Pick<Terms, "taskCount" | "batchSize">,
  task: number,
): { batch: number; index: number } | undefined {
  if (!(task >= 0 && task < terms.taskCount) || terms.batchSize === 0) return undefined;
  return { batch: Math.floor(task / terms.batchSize), index: task % terms.batchSize };
}

/** What the protocol's owner may set, within bounds, for deals that open later. */
export interface Parameters {
  readonly patienceBaseSecs: number;
  readonly fuelPerSec: bigint;
  readonly reputationStep: number;
  readonly protocolFeeBps: number;
  readonly expireGraceSecs: number;
  readonly posterGraceSecs: number;
  readonly disputeWindowMinSecs: number;
}

export function packParameters(version: number, parameters: Parameters): bigint {
  return new Packer()
    .put(version, 16)
    .put(parameters.patienceBaseSecs, 32)
    .put(parameters.fuelPerSec, 64)
    .put(parameters.reputationStep, 16)
    .put(parameters.protocolFeeBps, 16)
    .put(parameters.expireGraceSecs, 32)
    .put(parameters.posterGraceSecs, 32)
    .put(parameters.disputeWindowMinSecs, 32).value;
}

export function unpackParameters(word: bigint): { version: number; parameters: Parameters } {
  const fields = new Unpacker(word);
  const version = fields.number(16);
  const parameters = {
    patienceBaseSecs: fields.number(32),
    fuelPerSec: fields.take(64),
    reputationStep: fields.number(16),
    protocolFeeBps: fields.number(16),
    expireGraceSecs: fields.number(32),
    posterGraceSecs: fields.number(32),
    disputeWindowMinSecs: fields.number(32),
  };
  return { version, parameters };
}

/** Length of one wave: the constant, and the time of a full batch at the reference speed, rounded up. */
export function patienceOf(
  parameters: Pick<Parameters, "patienceBaseSecs" | "fuelPerSec">,
  fuelLimit: bigint,
  batchTasks: number,
): bigint {
  const speed = parameters.fuelPerSec < 1n ? 1n : parameters.fuelPerSec;
  return BigInt(parameters.patienceBaseSecs) + divCeil(fuelLimit * BigInt(batchTasks), speed);
}
