/** What workers and coordinators sign. Digests only: no key is in here. */

import { keccakWords, type Hex } from "./bytes";
import { struct, type Domain } from "./struct";

export const COMMITMENT = struct("Commitment", [
  ["bytes32", "roundId"],
  ["uint8", "wave"],
  ["bytes32", "commitment"],
]);

export const CONTRIBUTION = struct("Contribution", [
  ["bytes32", "roundId"],
  ["uint8", "wave"],
  ["bytes32", "root"],
  ["uint64", "fuel"],
  ["bytes32", "listHash"],
]);

export const UNAVAILABLE = struct("Unavailable", [
  ["bytes32", "roundId"],
  ["uint8", "wave"],
]);

export const ROUND_LIST = struct("RoundList", [
  ["bytes32", "roundId"],
  ["uint8", "wave"],
  ["bytes32", "listHash"],
]);

export const RESERVATION = struct("Reservation", [
  ["bytes32", "roundId"],
  ["uint8", "wave"],
  ["uint64", "expiry"],
]);

export const WORKER_KEY = struct("WorkerKey", [
  ["address", "operator"],
  ["uint32", "pool"],
]);

/** What the messages of a round are bound to. */
export function certifierDomain(chainId: bigint, certifier: Hex): Domain {
  return { name: "Guildhall Certifier", chainId, contract: certifier };
}

/** What a worker's proof of its key is bound to. */
export function workforceDomain(chainId: bigint, workforce: Hex): Domain {
  return { name: "Guildhall Workforce", chainId, contract: workforce };
}

/** A worker's commitment: blind, different for every worker, made only by who executed. */
export function commitmentOf(worker: Hex, round: Hex, root: Hex, fuel: bigint, ownTraceRoot: Hex): Hex {
  return keccakWords(worker, round, root, fuel, ownTraceRoot);
}
