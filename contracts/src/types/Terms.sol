// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CaseTermsWords} from "../libraries/CaseTermsWords.sol";
import {OpenedWords} from "../libraries/OpenedWords.sol";
import {PolicyWords} from "../libraries/PolicyWords.sol";

using PolicyWords for PolicyWord global;
using OpenedWords for OpenedWord global;
using CaseTermsWords for CaseTermsWord global;

/// @notice A matched deal, whole. The chain keeps `keccak256(abi.encode(terms))` under `dealId`; calls bring it back.
/// @param dealId EIP-712 digest of the request order.
/// @param policy The requester's {Policy} in one word, see {PolicyWord}.
/// @param opened Where and when the deal opened, see {OpenedWord}.
struct Terms {
    bytes32 dealId;
    address requester;
    address payer;
    address beneficiary;
    uint256 app;
    address appOwner;
    uint96 appPrice;
    uint256 dataset;
    address datasetOwner;
    uint96 datasetPrice;
    uint32 pool;
    uint96 feePerMfuel;
    uint96 minimumFee;
    uint96 deliveryTip;
    address callback;
    uint32 callbackGas;
    bytes32 inputs;
    uint32 taskCount;
    uint32 batchSize;
    uint64 fuelLimit;
    uint64 memoryLimit;
    uint64 deadline;
    PolicyWord policy;
    OpenedWord opened;
}

/// @notice {Policy} packed, from the low bit: confidence 32 | faultyShareBps 16 | replicasMin 8 | replicasMax 8 |
/// collateralMin 96 | countReputation 8 | evidence 8 | disputeWindow 32 | finalOnly 8.
type PolicyWord is uint256;

/// @notice From the low bit: block 40 | time 40 | poolBond 64 (bond units) | parameter version 16 | runtime 8 |
/// poolShareBps 16 | protocolFeeBps 16 | reputationStep 16 | patience 40 (seconds). The last three follow from the
/// parameters of that version and the request; they stand here so that a certificate need not look them up.
type OpenedWord is uint256;

/// @notice What a case about a batch needs of the terms, from the low bit: fee 96 (token's smallest unit) | tasks 32 |
/// runtime 8 | patience 40 (seconds) | pool 32. The certificate covers it, so that a dispute need not bring the terms.
type CaseTermsWord is uint256;
