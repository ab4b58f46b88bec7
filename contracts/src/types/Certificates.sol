// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CaseTermsWord, PolicyWord} from "./Terms.sol";
import {MemberWord} from "./Workers.sol";

/// @notice Life of one batch (PROTOCOL section 11.6).
enum Status {
    Open,
    Provisional,
    Disputed,
    Final,
    Reopened,
    Void,
    Expired
}

/// @notice What the chain holds of a certified batch; its hash fills the batch's slot.
/// @param attempt Draw of the lot that led here, from 0.
/// @param root Root of the batch's tree of receipts.
/// @param fuel Fuel of all tasks of the batch in one execution of it.
/// @param odds Odds to one that `root` is right, times 1e6, rounded down, before any dispute.
/// @param stake Free stake behind it, in the token's smallest unit.
/// @param seats Distinct operators that agreed.
/// @param evidence Evidence kinds that every agreeing worker had (bitmap).
/// @param seedKind Where the seed of the lot came from, see {ISeed}.
/// @param delivery keccak256 of the words of the terms that a delivery needs, the pool among them, see {Parcel}.
/// @param members keccak256 of two words: the roster, that is keccak256 of the packed member words in the order of the event,
/// then root and fuel of each rival, then the trail, see {ICertifier-Certified}; and what cases need of the terms.
struct Certificate {
    bytes32 dealId;
    uint32 batch;
    uint8 attempt;
    bytes32 root;
    uint64 fuel;
    uint128 odds;
    uint96 stake;
    uint8 seats;
    uint8 evidence;
    uint8 seedKind;
    bytes32 delivery;
    PolicyWord policy;
    uint64 certifiedAt;
    uint64 finalAt;
    bytes32 members;
}

/// @notice One claim about a batch: a root and its fuel. Claim 0 is the one to certify, the others are dissent.
struct Claim {
    bytes32 root;
    uint64 fuel;
}

/// @notice A certificate with all that its `members` hash covers: what comes after a certificate needs it whole.
/// @param trail See {ICertifier-Certified}.
/// @param caseTerms Follows from the deal's terms, so no event shows it.
struct CertifiedBatch {
    Certificate certificate;
    uint256 trail;
    CaseTermsWord caseTerms;
    MemberWord[] members;
    Claim[] rivals;
}

/// @notice One line of the list of a round.
/// @param word worker 160 (high) | claim 8 | wave 8, low bits: `uint160 worker << 96 | claim << 8 | wave`; claim 255 = bare
/// (committed, never revealed), 254 = unavailable, 253 = lost (committed, has no seat any more). Bit 16: the contribution
/// stands on chain, `r` and `vs` are not used.
/// @param proof The worker's own trace root, from which its commitment is recomputed; for a bare or lost entry the commitment itself, for
/// an unavailable one zero.
/// @param r First half of the EIP-2098 signature: of the contribution, for a bare or lost entry of the commitment,
/// for an unavailable one of that word.
/// @param vs Second half.
struct Entry {
    uint256 word;
    bytes32 proof;
    bytes32 r;
    bytes32 vs;
}

/// @notice One line of what stands on chain for a round.
/// @param word worker 160 (high) | payload 64 at bit 16 | wave 8 | kind 8 (1 commitment, 2 reveal); the payload is the
/// operator's number of a commitment, the fuel of a reveal.
/// @param a The commitment, or the revealed root.
/// @param b Zero, or the revealed own trace root.
struct LogItem {
    uint256 word;
    bytes32 a;
    bytes32 b;
}

/// @notice What a delivery brings of a certificate, of its deal's terms and of a receipt. Packed, and without what follows
/// from the rest, because calldata is most of what a delivery costs (EIP-7623 sets a floor of 10 gas a zero byte, 40 any other).
/// @param dealId To `members`: the certificate. `requester` to `sizes`: the terms, hashed as they lie into its `delivery`.
/// @param facts From the low bit: batch 32 | attempt 8 | seats 8 | evidence 8 | seedKind 8 | fuel 64 | certifiedAt 64 |
/// finalAt 64.
/// @param backing From the low bit: odds 128 | stake 96.
/// @param callback From the low bit: callback 160 | callbackGas 32 | pool 32.
/// @param sizes From the low bit: taskCount 32 | batchSize 32 | deliveryTip 96.
/// @param run Of the receipt, from the low bit: index 32 | exit 8 | fuel 64 | cumulativeFuel 64. Its output digest follows
/// from the output.
struct Parcel {
    bytes32 dealId;
    bytes32 root;
    uint256 facts;
    uint256 backing;
    PolicyWord policy;
    bytes32 members;
    address requester;
    uint256 app;
    uint256 dataset;
    bytes32 inputs;
    uint256 callback;
    uint256 sizes;
    uint256 run;
    bytes32 traceDigest;
}

/// @notice What a callback is told of the result that it gets.
/// @param task Number of the task in the deal.
/// @param exit How the execution ended; 0 = normally.
/// @param isFinal Whether the certificate was final at delivery.
/// @param odds Odds to one, times 1e6.
struct Delivery {
    bytes32 dealId;
    uint256 task;
    uint8 attempt;
    uint8 exit;
    bool isFinal;
    uint8 seats;
    uint8 evidence;
    uint8 seedKind;
    uint32 pool;
    uint128 odds;
    uint96 stake;
    address requester;
    uint256 app;
    uint256 dataset;
    bytes32 inputs;
    PolicyWord policy;
}
