// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The lot
/// @notice `docs/encoding.md` section 3: who may contribute to a round, checked in constant time.
library Lot {
    /// @dev Highest wave: eligibility doubles twice at most.
    uint256 internal constant WAVE_MAX = 2;
    /// @dev Most seats that a lot aims at.
    uint256 internal constant WANT_MAX = 64;
    /// @dev One half, in basis points: above every share that a policy may assume.
    uint256 private constant HALF_BPS = 5000;

    /// @notice Id of a round.
    function roundId(bytes32 dealId, uint256 batch, uint256 attempt, bytes32 seed) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, dealId)
            mstore(add(free, 32), batch)
            mstore(add(free, 64), attempt)
            mstore(add(free, 96), seed)
            id := keccak256(free, 128)
        }
    }

    /// @notice A worker's ticket in a round.
    function ticket(bytes32 seed, bytes32 roundId_, address worker) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, seed)
            mstore(add(free, 32), roundId_)
            mstore(add(free, 64), worker)
            result := keccak256(free, 96)
        }
    }

    /// @notice Seats that a lot aims at: those that the target needs if as many oppose as the policy assumes, and one and a
    /// half times those that it needs if nobody does, at least.
    /// @param faultyShareBps The policy's, below one half.
    function want(uint256 seatsNeeded, uint256 faultyShareBps) internal pure returns (uint256 seats) {
        unchecked {
            // Of n seats f * n oppose, and n - 2 * f * n are left over.
            seats = seatsNeeded * HALF_BPS / (HALF_BPS - faultyShareBps);
            uint256 least = (3 * seatsNeeded + 1) / 2;
            if (seats < least) seats = least;
            if (seats > WANT_MAX) seats = WANT_MAX;
        }
    }

    /// @notice Whether a ticket wins a seat: with a chance of want * bond / poolBond, doubled for every wave.
    /// @dev 192 bits of the ticket against a threshold of the same scale: want 7 bits, bond 40 bits, 194 bits of shift.
    function wins(uint256 ticket_, uint256 want_, uint256 bond, uint256 poolBond, uint256 wave)
        internal
        pure
        returns (bool)
    {
        unchecked {
            return poolBond != 0 && (ticket_ >> 64) < ((want_ * bond) << (192 + wave)) / poolBond;
        }
    }
}
