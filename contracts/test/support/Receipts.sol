// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Receipt} from "../../src/types/Cases.sol";
import {Certificate, Parcel} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";

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
        bytes32[] memory row = padded(leavesOf(receipts));
        while (row.length > 1) {
            row = parents(row);
        }
        return row[0];
    }

    /// @notice Proof that leaf `index` is under the root.
    function proofOf(Receipt[] memory receipts, uint256 index) internal pure returns (bytes32[] memory proof) {
        return proofIn(leavesOf(receipts), index);
    }

    /// @notice The same of any leaves: a worker's own traces make such a tree too.
    function proofIn(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory proof) {
        uint256 depth = depthOf(leaves.length);
        proof = new bytes32[](depth);
        bytes32[] memory row = padded(leaves);
        for (uint256 level; level < depth; ++level) {
            proof[level] = row[(index >> level) ^ 1];
            row = parents(row);
        }
    }

    /// @notice What a delivery brings.
    function parcelOf(Terms memory terms, Certificate memory c, Receipt memory receipt)
        internal
        pure
        returns (Parcel memory)
    {
        return Parcel({
            dealId: c.dealId,
            root: c.root,
            facts: uint256(c.batch) | uint256(c.attempt) << 32 | uint256(c.seats) << 40 | uint256(c.evidence) << 48
                | uint256(c.seedKind) << 56 | uint256(c.fuel) << 64 | uint256(c.certifiedAt) << 128 | uint256(c.finalAt)
                << 192,
            backing: uint256(c.odds) | uint256(c.stake) << 128,
            policy: c.policy,
            members: c.members,
            requester: terms.requester,
            app: terms.app,
            dataset: terms.dataset,
            inputs: terms.inputs,
            callback: uint256(uint160(terms.callback)) | uint256(terms.callbackGas) << 160 | uint256(terms.pool) << 192,
            sizes: uint256(terms.taskCount) | uint256(terms.batchSize) << 32 | uint256(terms.deliveryTip) << 64,
            run: uint256(receipt.index) | uint256(receipt.exit) << 32 | uint256(receipt.fuel) << 40
                | uint256(receipt.cumulativeFuel) << 104,
            traceDigest: receipt.traceDigest
        });
    }

    function leavesOf(Receipt[] memory receipts) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](receipts.length);
        for (uint256 i; i < receipts.length; ++i) {
            leaves[i] = leafOf(receipts[i]);
        }
    }

    function padded(bytes32[] memory leaves) private pure returns (bytes32[] memory row) {
        row = new bytes32[](1 << depthOf(leaves.length));
        for (uint256 i; i < leaves.length; ++i) {
            row[i] = leaves[i];
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
