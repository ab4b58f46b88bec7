// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Entry} from "../types/Certificates.sol";
import {MemberWord, WorkerWord} from "../types/Workers.sol";

/// @title Array access without bounds checks
/// @notice For the loops of a certificate, where the index runs below the array's length by construction: the checks would
/// cost a quarter of the computing. Nothing else may use this.
library Raw {
    /// @notice Member `i`, which exists.
    function get(MemberWord[] memory members, uint256 i) internal pure returns (MemberWord member) {
        assembly ("memory-safe") {
            member := mload(add(add(members, 32), shl(5, i)))
        }
    }

    /// @notice Word `i`, which exists.
    function get(WorkerWord[] memory words, uint256 i) internal pure returns (WorkerWord word) {
        assembly ("memory-safe") {
            word := mload(add(add(words, 32), shl(5, i)))
        }
    }

    /// @notice Writes member `i`, which exists.
    function put(MemberWord[] memory members, uint256 i, MemberWord member) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(members, 32), shl(5, i)), member)
        }
    }

    /// @notice Writes payment `i`, which exists.
    function put(uint256[] memory payments, uint256 i, uint256 payment) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(payments, 32), shl(5, i)), payment)
        }
    }

    /// @notice Entry `i`, which exists: its word and its proof.
    function wordOf(Entry[] calldata entries, uint256 i) internal pure returns (uint256 word, bytes32 proof) {
        assembly ("memory-safe") {
            let start := add(entries.offset, shl(7, i))
            word := calldataload(start)
            proof := calldataload(add(start, 32))
        }
    }

    /// @notice Entry `i`, which exists: its signature.
    function signatureOf(Entry[] calldata entries, uint256 i) internal pure returns (bytes32 r, bytes32 vs) {
        assembly ("memory-safe") {
            let start := add(entries.offset, shl(7, i))
            r := calldataload(add(start, 64))
            vs := calldataload(add(start, 96))
        }
    }
}
