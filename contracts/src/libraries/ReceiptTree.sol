// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The tree of a batch's receipts
/// @notice `docs/encoding.md` section 4: the path is the index, so that a leaf proves its place.
library ReceiptTree {
    /// @notice Whether `leaf` is leaf number `index` of a tree of `tasks` leaves with this root.
    function verify(bytes32 root, bytes32 leaf, uint256 index, uint256 tasks, bytes32[] calldata proof)
        internal
        pure
        returns (bool ok)
    {
        // A tree of n levels above its leaves has more than 2^(n - 1) of them and at most 2^n. From 2^256 on this is zero, which
        // holds no leaf.
        uint256 width = 1 << proof.length;
        if (index >= tasks || width < tasks || width >> 1 >= tasks) return false;
        // Ten levels cost a delivery 2,000 gas less than with the compiler's checks.
        assembly ("memory-safe") {
            let end := add(proof.offset, shl(5, proof.length))
            for { let at := proof.offset } lt(at, end) { at := add(at, 32) } {
                // The lowest bit says whether the node is the right child: 32 bytes behind its sibling.
                let side := shl(5, and(index, 1))
                mstore(side, leaf)
                mstore(sub(32, side), calldataload(at))
                leaf := keccak256(0, 64)
                index := shr(1, index)
            }
            ok := eq(leaf, root)
        }
    }
}
