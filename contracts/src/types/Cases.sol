// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CaseWords} from "../libraries/CaseWords.sol";
import {Claim, LogItem} from "./Certificates.sol";
import {MemberWord} from "./Workers.sol";

using CaseWords for FactsWord global;
using CaseWords for StakesWord global;
using CaseWords for JurorWord global;

/// @notice Where a case stands. Open until somebody calls for the verdict; then one of three, which may be appealed once;
/// Closed when its money was paid.
enum CaseState {
    None,
    Open,
    Upheld,
    Overturned,
    Void,
    Closed
}

/// @notice A case: one task of one batch before one jury. The keccak256 of these seven words is its id; the chain
/// keeps the upper 216 bits of it, calls bring the words back.
/// @param facts See {FactsWord}.
/// @param stakes See {StakesWord}.
/// @param opener Who opened it, and gets what the opening earns.
/// @param worker Whose stake answers for the opening instead of a bond; zero otherwise.
/// @param seal keccak256(abi(opener, dealId, batch, index, finding, salt)): what the opener says is right, shown after the
/// jury has committed; zero in audits.
/// @param before Id of the case that this one appeals; zero at level 1. In an inquest `worker` is the accused (zero over an
/// expired batch), `seal` the hash of the {Docket}, `before` the round's id.
struct Case {
    bytes32 dealId;
    FactsWord facts;
    StakesWord stakes;
    address opener;
    address worker;
    bytes32 seal;
    bytes32 before;
}

/// @notice From the low bit: batch 32 | index 32 | level 8 (1, 2) | kind 8 (see {CaseWords}) | seats 8 | runtime 8 |
/// window 32 (seconds) | openedAt 40 (Unix seconds) | openedBlock 40 | verdict of the case before 8.
type FactsWord is uint256;

/// @notice From the low bit: bond 128 (token's smallest unit) | bond of all workers of the runtime 64 | slash of a juror
/// 40 | pool 24. The workers' bond and the slash in bond units.
type StakesWord is uint256;

/// @notice One juror. `finding` is its commitment until it reveals.
struct Juror {
    JurorWord word;
    bytes32 finding;
}

/// @notice worker 160 (high) | operator's number 32 at bit 64 | wave 8 at bit 8 | revealed 8 (low).
type JurorWord is uint256;

/// @notice A case with its whole jury, sorted by the operators' numbers.
struct Hearing {
    Case record;
    Juror[] jurors;
}

/// @notice One execution's receipt as it lies in a batch's tree (`docs/encoding.md` section 4).
/// @param cumulativeFuel Fuel of the tasks 0 to `index` of the batch.
struct Receipt {
    uint32 index;
    uint8 exit;
    uint64 fuel;
    uint64 cumulativeFuel;
    bytes32 outputDigest;
    bytes32 traceDigest;
}

/// @notice Who answers in an inquest, and for what; the case's seal is keccak256(abi(docket)).
/// @param members Over an expired batch: who committed on chain, in the log's order; `claim` is its index in `claims`, 255 = never revealed,
/// 252 = lost its slash before; `exposure` is what it put at risk when the case was opened. Of an accusation: the certificate's.
/// @param claims Over an expired batch: the claims that contradict. Of an accusation: the accused's own trace root, with the
/// certified fuel.
struct Docket {
    MemberWord[] members;
    Claim[] claims;
}

/// @notice What binds a worker to an own trace root: its signed contribution, whose list holds its commitment; or its reveal in
/// the round's log.
/// @param before Hash of the list of the waves before the worker's; zero in wave 0.
/// @param list Worker and commitment of each entry of its wave in turn, in the list's order.
/// @param r First half of its contribution's EIP-2098 signature.
/// @param vs Second half.
/// @param log All that stands on chain for the round, when the reveal stands there; then wave to `vs` are not used.
struct Accusation {
    address worker;
    bytes32 ownTraceRoot;
    uint8 wave;
    bytes32 before;
    bytes32[] list;
    bytes32 r;
    bytes32 vs;
    LogItem[] log;
}

/// @notice A leaf of a batch's tree with its proof.
/// @param path Where it lies, which an honest receipt's index equals.
struct Leaf {
    uint256 path;
    Receipt receipt;
    bytes32[] proof;
}
