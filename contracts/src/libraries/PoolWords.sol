// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PoolWord} from "../types/Workers.sol";

/// @title A pool in one word
/// @notice Packs and reads {PoolWord}.
library PoolWords {
    uint256 private constant INVITATION = uint256(1) << 248;
    uint256 private constant CLOSING = uint256(1) << 249;

    /// @notice Packs a new pool.
    function pack(address owner_, uint256 shareBps_, bool invitation_) internal pure returns (PoolWord) {
        return PoolWord.wrap(uint160(owner_) | shareBps_ << 232 | (invitation_ ? INVITATION : 0));
    }

    /// @notice Who owns the pool; zero when there is no such pool.
    function owner(PoolWord word) internal pure returns (address) {
        return address(uint160(PoolWord.unwrap(word)));
    }

    /// @notice Bond of the pool's active workers, in bond units.
    function bond(PoolWord word) internal pure returns (uint256) {
        return uint40(PoolWord.unwrap(word) >> 160);
    }

    /// @notice Nonce of the pool's orders.
    function nonce(PoolWord word) internal pure returns (uint256) {
        return uint32(PoolWord.unwrap(word) >> 200);
    }

    /// @notice The pool's share of the work fee, in basis points.
    function shareBps(PoolWord word) internal pure returns (uint256) {
        return uint16(PoolWord.unwrap(word) >> 232);
    }

    /// @notice Whether an operator needs an invitation.
    function invitation(PoolWord word) internal pure returns (bool) {
        return PoolWord.unwrap(word) & INVITATION != 0;
    }

    /// @notice Whether the pool takes no deals any more.
    function closing(PoolWord word) internal pure returns (bool) {
        return PoolWord.unwrap(word) & CLOSING != 0;
    }

    /// @notice The pool with another bond.
    function withBond(PoolWord word, uint256 bond_) internal pure returns (PoolWord) {
        return PoolWord.wrap((PoolWord.unwrap(word) & ~(uint256(type(uint40).max) << 160)) | bond_ << 160);
    }

    /// @notice The pool with another share and admission.
    function withRules(PoolWord word, uint256 shareBps_, bool invitation_) internal pure returns (PoolWord) {
        uint256 kept = PoolWord.unwrap(word) & (((uint256(1) << 232) - 1) | CLOSING);
        return PoolWord.wrap(kept | shareBps_ << 232 | (invitation_ ? INVITATION : 0));
    }

    /// @notice The pool closed to new deals.
    function withClosing(PoolWord word) internal pure returns (PoolWord) {
        return PoolWord.wrap(PoolWord.unwrap(word) | CLOSING);
    }

    /// @notice The pool with another owner and the next nonce: orders signed before are dead.
    function withOwner(PoolWord word, address owner_) internal pure returns (PoolWord) {
        uint256 kept = (PoolWord.unwrap(word) >> 160) << 160;
        return PoolWord.wrap(kept | uint160(owner_)).withNextNonce();
    }

    /// @notice The pool with the next nonce; wraps after 2^32.
    function withNextNonce(PoolWord word) internal pure returns (PoolWord) {
        uint256 next = uint32(nonce(word) + 1 & type(uint32).max);
        return PoolWord.wrap((PoolWord.unwrap(word) & ~(uint256(type(uint32).max) << 200)) | next << 200);
    }
}
