// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The tree of a batch's receipts
/// @notice `docs/encoding.md` section 4: the path is the index, so that a leaf proves its place.
library ReceiptTree {
    /// @notice Levels above the leaves of a batch.
    function depthOf(uint256 tasks) internal pure returns (uint256 depth) {
        while ((uint256(1) << depth) < tasks) ++depth;
    }

    /// @notice Whether `leaf` is leaf number `index` of a tree of `tasks` leaves with this root.
    function verify(bytes32 root, bytes32 leaf, uint256 index, uint256 tasks, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (index >= tasks || proof.length != depthOf(tasks)) return false;
        for (uint256 level; level < proof.length; ++level) {
            leaf = index >> level & 1 == 0 ? _node(leaf, proof[level]) : _node(proof[level], leaf);
        }
        return leaf == root;
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0, left)
            mstore(32, right)
            node := keccak256(0, 64)
        }
    }
}
