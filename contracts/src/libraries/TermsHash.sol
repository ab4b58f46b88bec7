// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CaseTermsWord, Terms} from "../types/Terms.sol";
import {CaseTermsWords} from "./CaseTermsWords.sol";
import {Payouts} from "./Payouts.sol";

/// @title Terms of a deal
/// @notice Hashes terms and derives what follows from them.
library TermsHash {
    /// @dev Words of {Terms}: all static.
    uint256 private constant BYTES = 24 * 32;
    /// @dev Indices of words of {Terms}.
    uint256 private constant APP_PRICE = 6;
    uint256 private constant DATASET_PRICE = 9;
    uint256 private constant POOL = 10;
    uint256 private constant FEE_PER_MFUEL = 11;
    uint256 private constant TASK_COUNT = 17;
    uint256 private constant BATCH_SIZE = 18;
    uint256 private constant FUEL_LIMIT = 19;

    /// @notice keccak256(abi.encode(terms)) of terms in calldata, which lie there as those very words.
    function hash(Terms calldata terms) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, terms, BYTES)
            result := keccak256(free, BYTES)
        }
    }

    /// @notice keccak256(abi.encode(terms)) of terms in memory, where a static struct is its words in a row.
    function hashMemory(Terms memory terms) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            result := keccak256(terms, BYTES)
        }
    }

    /// @notice keccak256 of what a delivery needs of the terms, as it lies in a {Parcel}: requester, app, dataset, inputs,
    /// callback with its gas and the pool, sizes with the tip.
    function deliveryHash(Terms calldata terms) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, calldataload(add(terms, 0x20)))
            mstore(add(free, 0x20), calldataload(add(terms, 0x80)))
            mstore(add(free, 0x40), calldataload(add(terms, 0xe0)))
            mstore(add(free, 0x60), calldataload(add(terms, 0x200)))
            let callback := or(calldataload(add(terms, 0x1c0)), shl(160, calldataload(add(terms, 0x1e0))))
            mstore(add(free, 0x80), or(callback, shl(192, calldataload(add(terms, 0x140)))))
            let sizes := or(calldataload(add(terms, 0x220)), shl(32, calldataload(add(terms, 0x240))))
            mstore(add(free, 0xa0), or(sizes, shl(64, calldataload(add(terms, 0x1a0)))))
            result := keccak256(free, 0xc0)
        }
    }

    /// @notice What a case about a batch of `tasks` needs of the terms.
    function caseTermsOf(Terms calldata terms, uint256 tasks) internal pure returns (CaseTermsWord) {
        uint256 fee = feeOf(terms);
        return CaseTermsWords.pack(fee, tasks, terms.opened.runtime(), terms.opened.patience(), _word(terms, POOL));
    }

    /// @notice Fee of one execution of one task at the limit, rounded up: what a juror earns.
    function feeOf(Terms calldata terms) internal pure returns (uint256) {
        unchecked {
            // 64 bits by 96.
            return (_word(terms, FUEL_LIMIT) * _word(terms, FEE_PER_MFUEL) + 999_999) / 1e6;
        }
    }

    /// @notice Number of batches of a deal.
    function batches(Terms calldata terms) internal pure returns (uint256) {
        uint256 size = _word(terms, BATCH_SIZE);
        unchecked {
            // 32 bits each, and the Market lets no empty batch in.
            return (_word(terms, TASK_COUNT) + size - 1) / size;
        }
    }

    /// @notice Tasks of a batch that the deal has; the last one may be shorter.
    function tasksOf(Terms calldata terms, uint256 batch) internal pure returns (uint256) {
        uint256 size = _word(terms, BATCH_SIZE);
        unchecked {
            uint256 rest = _word(terms, TASK_COUNT) - batch * size;
            return rest < size ? rest : size;
        }
    }

    /// @notice Fuel that a batch of `tasks` may take in one execution.
    function fuelOf(Terms calldata terms, uint256 tasks) internal pure returns (uint256) {
        unchecked {
            // 64 bits by 32.
            return _word(terms, FUEL_LIMIT) * tasks;
        }
    }

    /// @notice App and dataset prices of a batch.
    function pricesOf(Terms calldata terms, uint256 tasks) internal pure returns (uint256) {
        unchecked {
            // 97 bits by 32.
            return (_word(terms, APP_PRICE) + _word(terms, DATASET_PRICE)) * tasks;
        }
    }

    /// @notice What the owners of app and dataset get for a batch.
    function partsOf(Terms calldata terms, uint256 tasks) internal pure returns (uint256 app, uint256 dataset) {
        unchecked {
            // 96 bits by 32.
            return (_word(terms, APP_PRICE) * tasks, _word(terms, DATASET_PRICE) * tasks);
        }
    }

    /// @notice What the payer locked for a batch of `tasks`.
    function lockOf(Terms calldata terms, uint256 tasks) internal pure returns (uint256) {
        uint256 price;
        unchecked {
            price = _word(terms, APP_PRICE) + _word(terms, DATASET_PRICE);
        }
        return
            Payouts.lockOf(
                terms.policy.replicasMax(), _word(terms, FUEL_LIMIT), tasks, _word(terms, FEE_PER_MFUEL), price
            );
    }

    /// @dev A word of the terms as it lies. Terms are authenticated by their hash, so no word has dirty bits: the Market
    /// wrote them.
    function _word(Terms calldata terms, uint256 index) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(terms, shl(5, index)))
        }
    }
}
