// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MemberWord} from "../types/Workers.sol";

/// @notice Claims that are no index into the round's claims.
library Claims {
    /// @dev The claim that the poster wants certified.
    uint256 internal constant LEADING = 0;
    /// @dev {IGNORED}, and never revealed.
    uint256 internal constant IGNORED_BARE = 249;
    /// @dev Certified as bare, shown later: contradicts the certificate.
    uint256 internal constant SHOWN_RIVAL = 250;
    /// @dev Certified as bare, shown later: agrees, its slash went back.
    uint256 internal constant SHOWN_AGREEING = 251;
    /// @dev Stands on chain beside another worker of its operator, or without the stake it needs: does not count.
    uint256 internal constant IGNORED = 252;
    /// @dev Committed, seat lost since: no claim, opposes. See {ICertifier-certify}.
    uint256 internal constant LOST = 253;
    /// @dev The bytes were withheld: opposes, is never slashed.
    uint256 internal constant UNAVAILABLE = 254;
    /// @dev Committed, never revealed: opposes.
    uint256 internal constant BARE = 255;
}

/// @title A round's member in one word
/// @notice Packs and reads {MemberWord}.
library MemberWords {
    /// @notice Packs a member.
    function pack(address worker_, uint256 claim_, uint256 wave_, uint256 slash_, uint256 exposure_)
        internal
        pure
        returns (MemberWord)
    {
        return MemberWord.wrap(uint256(uint160(worker_)) << 96 | claim_ << 88 | wave_ << 80 | slash_ << 40 | exposure_);
    }

    /// @notice The member's key.
    function worker(MemberWord word) internal pure returns (address) {
        return address(uint160(MemberWord.unwrap(word) >> 96));
    }

    /// @notice What it claims: 0 the certified claim, 1.. a rival one, or one of {Claims}.
    function claim(MemberWord word) internal pure returns (uint256) {
        return uint8(MemberWord.unwrap(word) >> 88);
    }

    /// @notice Wave of its seat.
    function wave(MemberWord word) internal pure returns (uint256) {
        return uint8(MemberWord.unwrap(word) >> 80);
    }

    /// @notice Stake taken into escrow, in bond units.
    function slash(MemberWord word) internal pure returns (uint256) {
        return uint40(MemberWord.unwrap(word) >> 40);
    }

    /// @notice Stake put at risk, in bond units.
    function exposure(MemberWord word) internal pure returns (uint256) {
        return uint40(MemberWord.unwrap(word));
    }

    /// @notice The member with what was really taken from it.
    function withSlash(MemberWord word, uint256 slash_) internal pure returns (MemberWord) {
        return MemberWord.wrap((MemberWord.unwrap(word) & ~(uint256(type(uint40).max) << 40)) | slash_ << 40);
    }

    /// @notice The member with another claim.
    function withClaim(MemberWord word, uint256 claim_) internal pure returns (MemberWord) {
        return MemberWord.wrap((MemberWord.unwrap(word) & ~(uint256(type(uint8).max) << 88)) | claim_ << 88);
    }
}
