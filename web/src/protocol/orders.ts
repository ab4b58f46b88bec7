/** Orders and policies, field by field as `contracts/src/types/Orders.sol` has them: EIP-712 hashes these names. */

import { EncodingError, Packer, Unpacker, type Hex } from "./bytes";
import { digest, struct, type Domain, type Of } from "./struct";

export const POLICY = struct("Policy", [
  ["uint32", "confidence"],
  ["uint16", "faultyShareBps"],
  ["uint8", "replicasMin"],
  ["uint8", "replicasMax"],
  ["uint96", "collateralMin"],
  ["bool", "countReputation"],
  ["uint8", "evidence"],
  ["uint32", "disputeWindow"],
  ["bool", "finalOnly"],
]);
export type Policy = Of<typeof POLICY>;

export const APP_ORDER = struct("AppOrder", [
  ["uint256", "app"],
  ["uint96", "price"],
  ["uint64", "volume"],
  ["uint256", "datasetRestrict"],
  ["uint32", "poolRestrict"],
  ["address", "requesterRestrict"],
  ["uint64", "expiry"],
  ["uint64", "nonce"],
  ["bytes32", "salt"],
]);
export type AppOrder = Of<typeof APP_ORDER>;

export const DATASET_ORDER = struct("DatasetOrder", [
  ["uint256", "dataset"],
  ["uint96", "price"],
  ["uint64", "volume"],
  ["uint256", "appRestrict"],
  ["uint32", "poolRestrict"],
  ["address", "requesterRestrict"],
  ["uint64", "expiry"],
  ["uint64", "nonce"],
  ["bytes32", "salt"],
]);
export type DatasetOrder = Of<typeof DATASET_ORDER>;

export const POOL_ORDER = struct("PoolOrder", [
  ["uint32", "pool"],
  ["uint96", "feePerMfuel"],
  ["uint96", "minimumFee"],
  ["uint64", "volume"],
  ["uint64", "fuelLimitMax"],
  ["uint256", "appRestrict"],
  ["uint256", "datasetRestrict"],
  ["address", "requesterRestrict"],
  ["uint64", "expiry"],
  ["uint32", "nonce"],
  ["bytes32", "salt"],
]);
export type PoolOrder = Of<typeof POOL_ORDER>;

export const REQUEST_ORDER = struct("RequestOrder", [
  ["address", "requester"],
  ["address", "payer"],
  ["address", "beneficiary"],
  ["uint256", "app"],
  ["uint256", "dataset"],
  ["uint32", "pool"],
  ["uint96", "appPriceMax"],
  ["uint96", "datasetPriceMax"],
  ["uint96", "feePerMfuelMax"],
  ["uint96", "deliveryTip"],
  ["address", "callback"],
  ["uint32", "callbackGas"],
  ["bytes32", "inputs"],
  ["uint32", "taskCount"],
  ["uint32", "batchSize"],
  ["uint64", "fuelLimit"],
  ["uint64", "memoryLimit"],
  ["uint64", "deadline"],
  [POLICY, "policy"],
  ["uint64", "expiry"],
  ["uint64", "nonce"],
  ["bytes32", "salt"],
]);
export type RequestOrder = Of<typeof REQUEST_ORDER>;

/** What the orders' signatures are bound to: this protocol, this chain, this Market. */
export function marketDomain(chainId: bigint, market: Hex): Domain {
  return { name: "Guildhall Market", chainId, contract: market };
}

/** The id of the deal that this order becomes: its digest. */
export function dealId(market: Domain, order: RequestOrder): Hex {
  return digest(market, REQUEST_ORDER, order);
}

/** 99:1, a fifth of the stake faulty, three operators at least and eight executions at most, an hour to dispute. */
export const DEFAULT_POLICY: Policy = {
  confidence: 99,
  faultyShareBps: 2_000,
  replicasMin: 3,
  replicasMax: 8,
  collateralMin: 0n,
  countReputation: false,
  evidence: 0,
  disputeWindow: 3_600,
  finalOnly: true,
};

/** A policy in one word. Loses nothing. */
export function packPolicy(policy: Policy): bigint {
  return new Packer()
    .put(policy.confidence, 32)
    .put(policy.faultyShareBps, 16)
    .put(policy.replicasMin, 8)
    .put(policy.replicasMax, 8)
    .put(policy.collateralMin, 96)
    .put(policy.countReputation ? 1 : 0, 8)
    .put(policy.evidence, 8)
    .put(policy.disputeWindow, 32)
    .put(policy.finalOnly ? 1 : 0, 8).value;
}

/** The policy in a word; bits outside of its fields are an error. */
export function unpackPolicy(word: bigint): Policy {
  const fields = new Unpacker(word);
  const flag = (): boolean => {
    const byte = fields.number(8);
    if (byte > 1) throw new EncodingError(`the policy word has ${byte} where a flag stands`);
    return byte === 1;
  };
  const policy = {
    confidence: fields.number(32),
    faultyShareBps: fields.number(16),
    replicasMin: fields.number(8),
    replicasMax: fields.number(8),
    collateralMin: fields.take(96),
    countReputation: flag(),
    evidence: fields.number(8),
    disputeWindow: fields.number(32),
    finalOnly: flag(),
  };
  if (fields.rest !== 0n) throw new EncodingError("the policy word has bits outside of its fields");
  return policy;
}
