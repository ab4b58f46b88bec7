// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Parameters, ParametersWord} from "../types/Parameters.sol";

/// @title The protocol's parameters in one word
/// @notice Packs, bounds and reads {Parameters}. The bounds here are the whole of what the owner can reach.
library ParametersWords {
    /// @notice Thrown when a parameter leaves its bounds.
    error ParameterOutOfBounds(string name, uint256 value, uint256 lowest, uint256 highest);

    /// @notice Checks the bounds of every parameter and packs them under `version_`.
    function pack(Parameters memory p, uint256 version_) internal pure returns (ParametersWord) {
        bound("patienceBaseSecs", p.patienceBaseSecs, 1, 3600);
        bound("fuelPerSec", p.fuelPerSec, 1e6, 1e13);
        bound("reputationStep", p.reputationStep, 1, 10_000);
        bound("protocolFeeBps", p.protocolFeeBps, 0, 1000);
        bound("expireGraceSecs", p.expireGraceSecs, 1, 7 days);
        bound("posterGraceSecs", p.posterGraceSecs, 1, 7 days);
        bound("disputeWindowMinSecs", p.disputeWindowMinSecs, 1, 1 days);
        bound("version", version_, 1, type(uint16).max);
        return ParametersWord.wrap(
            version_ | uint256(p.patienceBaseSecs) << 16 | uint256(p.fuelPerSec) << 48 | uint256(p.reputationStep)
                << 112 | uint256(p.protocolFeeBps) << 128 | uint256(p.expireGraceSecs) << 144
                | uint256(p.posterGraceSecs) << 176 | uint256(p.disputeWindowMinSecs) << 208
        );
    }

    /// @notice Version of these parameters, from 1.
    function version(ParametersWord word) internal pure returns (uint256) {
        return uint16(ParametersWord.unwrap(word));
    }

    /// @notice Constant part of a wave's length, in seconds.
    function patienceBaseSecs(ParametersWord word) internal pure returns (uint256) {
        return uint32(ParametersWord.unwrap(word) >> 16);
    }

    /// @notice Reference speed, in fuel a second.
    function fuelPerSec(ParametersWord word) internal pure returns (uint256) {
        return uint64(ParametersWord.unwrap(word) >> 48);
    }

    /// @notice Reputation points that halve the odds of a fault.
    function reputationStep(ParametersWord word) internal pure returns (uint256) {
        return uint16(ParametersWord.unwrap(word) >> 112);
    }

    /// @notice The protocol's share of the work fee, in basis points.
    function protocolFeeBps(ParametersWord word) internal pure returns (uint256) {
        return uint16(ParametersWord.unwrap(word) >> 128);
    }

    /// @notice Seconds after the deadline before a batch may expire.
    function expireGraceSecs(ParametersWord word) internal pure returns (uint256) {
        return uint32(ParametersWord.unwrap(word) >> 144);
    }

    /// @notice Seconds after the last window from which whoever posts earns the pool's share.
    function posterGraceSecs(ParametersWord word) internal pure returns (uint256) {
        return uint32(ParametersWord.unwrap(word) >> 176);
    }

    /// @notice Shortest dispute window of a policy, in seconds.
    function disputeWindowMinSecs(ParametersWord word) internal pure returns (uint256) {
        return uint32(ParametersWord.unwrap(word) >> 208);
    }

    /// @notice Length of a wave: a constant plus what a full batch takes at the reference speed, rounded up.
    /// @param batchFuel Fuel limit of one execution times the tasks of a full batch.
    function patienceSecs(ParametersWord word, uint256 batchFuel) internal pure returns (uint256) {
        uint256 speed = fuelPerSec(word);
        unchecked {
            // 96 bits of fuel, a speed of 64 bits from 1e6.
            return patienceBaseSecs(word) + (batchFuel + speed - 1) / speed;
        }
    }

    /// @dev Reverts with the name and the bounds when `value` lies outside them.
    function bound(string memory name, uint256 value, uint256 lowest, uint256 highest) private pure {
        if (value < lowest || value > highest) revert ParameterOutOfBounds(name, value, lowest, highest);
    }
}
