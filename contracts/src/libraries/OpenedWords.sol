// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {OpenedWord} from "../types/Terms.sol";

/// @title Where and when a deal opened
/// @notice Packs and reads {OpenedWord}. The same word stands for a batch that was re-opened.
library OpenedWords {
    /// @notice Packs the snapshot that fixes a round: nobody can move it once the block is sealed.
    function pack(
        uint256 block_,
        uint256 time_,
        uint256 poolBond_,
        uint256 version_,
        uint256 runtime_,
        uint256 poolShareBps_
    ) internal pure returns (OpenedWord) {
        return OpenedWord.wrap(
            block_ | time_ << 40 | poolBond_ << 80 | version_ << 144 | runtime_ << 160 | poolShareBps_ << 168
        );
    }

    /// @notice Adds what follows from the parameters: fee, step and the length of a wave.
    function withRates(OpenedWord word, uint256 protocolFeeBps_, uint256 reputationStep_, uint256 patience_)
        internal
        pure
        returns (OpenedWord)
    {
        return OpenedWord.wrap(
            OpenedWord.unwrap(word) | protocolFeeBps_ << 184 | reputationStep_ << 200 | patience_ << 216
        );
    }

    /// @notice The same word with another block, time and pool bond: a batch that opens again.
    function reopened(OpenedWord word, uint256 block_, uint256 time_, uint256 poolBond_)
        internal
        pure
        returns (OpenedWord)
    {
        uint256 kept = (OpenedWord.unwrap(word) >> 144) << 144;
        return OpenedWord.wrap(kept | block_ | time_ << 40 | poolBond_ << 80);
    }

    /// @notice Opening block: keys and bonds must be older, its seed draws the lot.
    function blockNumber(OpenedWord word) internal pure returns (uint256) {
        return uint40(OpenedWord.unwrap(word));
    }

    /// @notice Opening time, Unix seconds: the waves are counted from it.
    function time(OpenedWord word) internal pure returns (uint256) {
        return uint40(OpenedWord.unwrap(word) >> 40);
    }

    /// @notice The pool's bond at the opening, in bond units.
    function poolBond(OpenedWord word) internal pure returns (uint256) {
        return uint64(OpenedWord.unwrap(word) >> 80);
    }

    /// @notice Version of the protocol's parameters.
    function version(OpenedWord word) internal pure returns (uint256) {
        return uint16(OpenedWord.unwrap(word) >> 144);
    }

    /// @notice Number of the runtime that a seat needs.
    function runtime(OpenedWord word) internal pure returns (uint256) {
        return uint8(OpenedWord.unwrap(word) >> 160);
    }

    /// @notice The pool's share of the work fee, in basis points.
    function poolShareBps(OpenedWord word) internal pure returns (uint256) {
        return uint16(OpenedWord.unwrap(word) >> 168);
    }

    /// @notice The protocol's share of the work fee, in basis points.
    function protocolFeeBps(OpenedWord word) internal pure returns (uint256) {
        return uint16(OpenedWord.unwrap(word) >> 184);
    }

    /// @notice Reputation points that halve the odds of a fault.
    function reputationStep(OpenedWord word) internal pure returns (uint256) {
        return uint16(OpenedWord.unwrap(word) >> 200);
    }

    /// @notice Length of a wave, in seconds.
    function patience(OpenedWord word) internal pure returns (uint256) {
        return OpenedWord.unwrap(word) >> 216;
    }

    /// @notice When the last wave's window closes.
    function windowsEnd(OpenedWord word) internal pure returns (uint256) {
        unchecked {
            // 40 bits each.
            return time(word) + 3 * patience(word);
        }
    }

    /// @notice Which wave `now_` falls into; 3 and more = all windows have closed.
    function waveAt(OpenedWord word, uint256 now_) internal pure returns (uint256) {
        return (now_ - time(word)) / patience(word);
    }
}
