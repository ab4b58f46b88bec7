// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Case, FactsWord, Juror, JurorWord, Receipt, StakesWord} from "../types/Cases.sol";
import {Certificate} from "../types/Certificates.sol";
import {Confidence} from "./Confidence.sol";

/// @title The words of a case
/// @notice Packs, reads and hashes {Case}, {Juror} and what a jury compares.
library CaseWords {
    /// @dev Kinds of cases of the Court: who answers for the opening. A bond, a worker's stake, or nobody (the seed asked for it).
    uint256 internal constant BONDED = 1;
    uint256 internal constant STAKED = 2;
    uint256 internal constant AUDIT = 3;
    /// @dev Kinds of inquests, which a bond answers for: what stands on chain for an expired batch; one worker's own trace.
    uint256 internal constant EXPIRY = 4;
    uint256 internal constant ACCUSATION = 5;

    /// @dev Windows of a jury: three to commit, one to reveal, two in which a first verdict may be appealed.
    uint256 private constant COMMIT_WINDOWS = 3;
    uint256 private constant REVEAL_WINDOWS = 4;
    uint256 private constant ALL_WINDOWS = 6;

    /// @notice Id of a case.
    function id(Case memory record) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(record, 224)
        }
    }

    /// @notice The same of a case in calldata.
    function idOf(Case calldata record) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, record, 224)
            result := keccak256(free, 224)
        }
    }

    /// @notice Packs the facts of a case that appeals none.
    function packFacts(
        uint256 batch_,
        uint256 index_,
        uint256 level_,
        uint256 kind_,
        uint256 seats_,
        uint256 runtime_,
        uint256 window_
    ) internal view returns (FactsWord) {
        return FactsWord.wrap(
            batch_ | index_ << 32 | level_ << 64 | kind_ << 72 | seats_ << 80 | runtime_ << 88 | window_ << 96
                | block.timestamp << 128 | block.number << 168
        );
    }

    /// @notice Adds the verdict of the case before.
    function after_(FactsWord word, uint256 verdict_) internal pure returns (FactsWord) {
        return FactsWord.wrap(FactsWord.unwrap(word) | verdict_ << 208);
    }

    /// @notice Batch of the deal.
    function batch(FactsWord word) internal pure returns (uint256) {
        return uint32(FactsWord.unwrap(word));
    }

    /// @notice Task of the batch.
    function index(FactsWord word) internal pure returns (uint256) {
        return uint32(FactsWord.unwrap(word) >> 32);
    }

    /// @notice Batch and index: where a deal's cases are kept.
    function place(FactsWord word) internal pure returns (uint256) {
        return uint64(FactsWord.unwrap(word));
    }

    /// @notice The same of a batch and an index of 32 bits each.
    function placeOf(uint256 batch_, uint256 index_) internal pure returns (uint256) {
        return batch_ | index_ << 32;
    }

    /// @notice 1, or 2 for an appeal.
    function level(FactsWord word) internal pure returns (uint256) {
        return uint8(FactsWord.unwrap(word) >> 64);
    }

    /// @notice Who answers for the opening.
    function kind(FactsWord word) internal pure returns (uint256) {
        return uint8(FactsWord.unwrap(word) >> 72);
    }

    /// @notice Seats that the lot aims at.
    function seats(FactsWord word) internal pure returns (uint256) {
        return uint8(FactsWord.unwrap(word) >> 80);
    }

    /// @notice Number of the runtime that a juror needs.
    function runtime(FactsWord word) internal pure returns (uint256) {
        return uint8(FactsWord.unwrap(word) >> 88);
    }

    /// @notice Length of a window, in seconds.
    function window(FactsWord word) internal pure returns (uint256) {
        return uint32(FactsWord.unwrap(word) >> 96);
    }

    /// @notice When the case was opened, Unix seconds.
    function openedAt(FactsWord word) internal pure returns (uint256) {
        return uint40(FactsWord.unwrap(word) >> 128);
    }

    /// @notice Block that it was opened in: its seed draws the jury.
    function openedBlock(FactsWord word) internal pure returns (uint256) {
        return uint40(FactsWord.unwrap(word) >> 168);
    }

    /// @notice What the case before came to.
    function verdictBefore(FactsWord word) internal pure returns (uint256) {
        return uint8(FactsWord.unwrap(word) >> 208);
    }

    /// @notice From when on jurors reveal and no more commit.
    function commitEnd(FactsWord word) internal pure returns (uint256) {
        return openedAt(word) + COMMIT_WINDOWS * window(word);
    }

    /// @notice From when on there may be a verdict.
    function revealEnd(FactsWord word) internal pure returns (uint256) {
        return openedAt(word) + REVEAL_WINDOWS * window(word);
    }

    /// @notice From when on the verdict stands: nobody appeals one of level 2.
    function appealEnd(FactsWord word) internal pure returns (uint256) {
        return level(word) == 1 ? openedAt(word) + ALL_WINDOWS * window(word) : revealEnd(word);
    }

    /// @notice Odds that a verdict must reach: those of the certificate's policy and attempt, four times as much for a second
    /// jury.
    function targetOf(Certificate calldata certificate, uint256 level_) internal pure returns (uint256) {
        return Confidence.target(certificate.policy.confidence(), certificate.attempt + level_ - 1);
    }

    /// @notice Packs what is at stake in a case.
    function packStakes(uint256 bond_, uint256 runtimeBond_, uint256 slash_, uint256 pool_)
        internal
        pure
        returns (StakesWord)
    {
        return StakesWord.wrap(bond_ | runtimeBond_ << 128 | slash_ << 192 | pool_ << 232);
    }

    /// @notice The same with another bond.
    function withBond(StakesWord word, uint256 bond_) internal pure returns (StakesWord) {
        return StakesWord.wrap((StakesWord.unwrap(word) >> 128 << 128) | bond_);
    }

    /// @notice What answers for the opening, in the token's smallest unit; of an audit what the protocol gives for its jury.
    function bond(StakesWord word) internal pure returns (uint256) {
        return uint128(StakesWord.unwrap(word));
    }

    /// @notice Bond of all active workers of the runtime when the case was opened, in bond units.
    function runtimeBond(StakesWord word) internal pure returns (uint256) {
        return uint64(StakesWord.unwrap(word) >> 128);
    }

    /// @notice What a juror has at risk, in bond units.
    function slash(StakesWord word) internal pure returns (uint256) {
        return uint40(StakesWord.unwrap(word) >> 192);
    }

    /// @notice Pool of the deal.
    function pool(StakesWord word) internal pure returns (uint256) {
        return StakesWord.unwrap(word) >> 232;
    }

    /// @notice Packs a juror that has committed.
    function packJuror(address worker_, uint256 operator_, uint256 wave_) internal pure returns (JurorWord) {
        return JurorWord.wrap(uint256(uint160(worker_)) << 96 | operator_ << 64 | wave_ << 8);
    }

    /// @notice The juror once it has revealed.
    function asRevealed(JurorWord word) internal pure returns (JurorWord) {
        return JurorWord.wrap(JurorWord.unwrap(word) | 1);
    }

    /// @notice The juror's key.
    function worker(JurorWord word) internal pure returns (address) {
        return address(uint160(JurorWord.unwrap(word) >> 96));
    }

    /// @notice Number of the juror's operator.
    function operator(JurorWord word) internal pure returns (uint256) {
        return uint32(JurorWord.unwrap(word) >> 64);
    }

    /// @notice Wave that the juror came in.
    function wave(JurorWord word) internal pure returns (uint256) {
        return uint8(JurorWord.unwrap(word) >> 8);
    }

    /// @notice Whether its finding is known.
    function revealed(JurorWord word) internal pure returns (bool) {
        return uint8(JurorWord.unwrap(word)) != 0;
    }

    /// @notice What the chain keeps of a juror.
    function hashOf(JurorWord word, bytes32 finding) internal pure returns (bytes32) {
        return keccak256(abi.encode(word, finding));
    }

    /// @notice What binds a juror before it knows what others found.
    function commitmentOf(address worker_, bytes32 caseId, bytes32 finding, bytes32 ownTrace)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(worker_, caseId, finding, ownTrace));
    }

    /// @notice What binds an opener before the jury has committed.
    function sealOf(address opener, bytes32 dealId, uint256 batch_, uint256 index_, bytes32 finding, bytes32 salt)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(opener, dealId, batch_, index_, finding, salt));
    }

    /// @notice What a jury compares: a receipt without the fuel of the tasks before it, which a juror does not execute.
    function findingOf(Receipt calldata receipt) internal pure returns (bytes32) {
        return
            keccak256(abi.encode(receipt.index, receipt.exit, receipt.fuel, receipt.outputDigest, receipt.traceDigest));
    }

    /// @notice The receipt's leaf in its batch's tree.
    function leafOf(Receipt calldata receipt) internal pure returns (bytes32) {
        return keccak256(abi.encode(receipt));
    }
}
