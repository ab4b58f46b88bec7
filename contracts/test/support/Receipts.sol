// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Receipt} from "../../src/types/Certificates.sol";

/// @title Receipts of a batch, their root and proofs, by the rules of `docs/encoding.md` section 4
library Receipts {
    /// @notice Receipts of `tasks` executions; task `i` answers `outputOf(i)` and takes `fuelEach`.
    function make(uint256 tasks, uint64 fuelEach) internal pure returns (Receipt[] memory receipts) {
        receipts = new Receipt[](tasks);
        for (uint256 i; i < tasks; ++i) {
            receipts[i] = Receipt({
                index: uint32(i),
                exit: 0,
                fuel: fuelEach,
                cumulativeFuel: uint64(fuelEach * (i + 1)),
                outputDigest: keccak256(outputOf(i)),
                traceDigest: keccak256(abi.encode("trace", i))
            });
        }
    }

    function outputOf(uint256 index) internal pure returns (bytes memory) {
        return abi.encode(index + 100);
    }

    function leafOf(Receipt memory receipt) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                receipt.index,
                receipt.exit,
                receipt.fuel,
                receipt.cumulativeFuel,
                receipt.outputDigest,
                receipt.traceDigest
            )
        );
    }

    function rootOf(Receipt[] memory receipts) internal pure returns (bytes32) {
        return up(receipts)[0];
    }

    /// @notice Proof that leaf `index` is under the root.
    function proofOf(Receipt[] memory receipts, uint256 index) internal pure returns (bytes32[] memory proof) {
        uint256 depth = depthOf(receipts.length);
        proof = new bytes32[](depth);
        bytes32[] memory row = padded(receipts);
        for (uint256 level; level < depth; ++level) {
            proof[level] = row[(index >> level) ^ 1];
            row = parents(row);
        }
    }

    function up(Receipt[] memory receipts) private pure returns (bytes32[] memory row) {
        row = padded(receipts);
        while (row.length > 1) {
            row = parents(row);
        }
    }

    function padded(Receipt[] memory receipts) private pure returns (bytes32[] memory row) {
        row = new bytes32[](1 << depthOf(receipts.length));
        for (uint256 i; i < receipts.length; ++i) {
            row[i] = leafOf(receipts[i]);
        }
    }

    function parents(bytes32[] memory row) private pure returns (bytes32[] memory above) {
        above = new bytes32[](row.length / 2);
        for (uint256 i; i < above.length; ++i) {
            above[i] = keccak256(abi.encodePacked(row[2 * i], row[2 * i + 1]));
        }
    }

    function depthOf(uint256 tasks) private pure returns (uint256 depth) {
        while ((uint256(1) << depth) < tasks) ++depth;
    }
}
