// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Odds that a result is right
/// @notice `docs/encoding.md` section 5, to the letter: micro units (1e6 = 1), rounded down, saturating at 128 bits.
library Confidence {
    /// @dev One, in micro units.
    uint256 internal constant ONE = 1e6;
    /// @dev Where products and sums saturate.
    uint256 internal constant MOST = type(uint128).max;
    /// @dev A weight is never reckoned with a share of faulty stake above one half.
    uint256 private constant HALF_BPS = 5000;
    /// @dev How much reputation may count.
    uint256 private constant SCALE_CAP = 20;

    /// @notice Weight of a worker: (1 - e) / e with e = f / (1 + reputation / step), never below f / 20.
    /// @param faultyShareBps The policy's f, doubled for every wave, at most a half.
    /// @param reputation 0 where the policy does not count it.
    /// @param step Points that halve the odds of a fault: the parameter's for each task of the batch.
    function weight(uint256 faultyShareBps, uint256 wave, uint256 reputation, uint256 step)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            // 16 bits shifted by 2, a reputation of 16 bits, a step of 48 bits from 1: nothing overflows.
            uint256 f = faultyShareBps << wave;
            if (f > HALF_BPS) f = HALF_BPS;
            uint256 scale = step + reputation;
            if (scale > SCALE_CAP * step) scale = SCALE_CAP * step;
            return 1e10 * scale / (f * step) - ONE;
        }
    }

    /// @notice Product of two weights.
    function times(uint256 group, uint256 weight_) internal pure returns (uint256 product) {
        unchecked {
            // 128 bits by 36: fits.
            product = group * weight_ / ONE;
            if (product > MOST) product = MOST;
        }
    }

    /// @notice Saturating sum.
    function plus(uint256 a, uint256 b) internal pure returns (uint256 sum) {
        unchecked {
            sum = a + b;
            if (sum > MOST) sum = MOST;
        }
    }

    /// @notice Odds of a group against all that opposes it.
    function odds(uint256 group, uint256 opposing) internal pure returns (uint256 result) {
        unchecked {
            // No more than the group's weight.
            result = group * ONE / (ONE + opposing);
        }
    }

    /// @notice What the odds must reach: the confidence, times 4 for every further attempt, in micro units.
    function target(uint256 confidence, uint256 attempt) internal pure returns (uint256) {
        return (confidence << 2 * attempt) * ONE;
    }

    /// @notice Weight of a worker without reputation in wave 0, whatever the step.
    function freshWeight(uint256 faultyShareBps) internal pure returns (uint256) {
        return weight(faultyShareBps, 0, 0, 1);
    }

    /// @notice Seats that reach `target_` with weights `fresh`: at least `replicasMin`, at most `replicasMax`.
    function seatsFor(uint256 target_, uint256 fresh, uint256 replicasMin, uint256 replicasMax)
        internal
        pure
        returns (uint256 seats, bool reached)
    {
        unchecked {
            uint256 group = ONE;
            while (seats < replicasMax) {
                group = times(group, fresh);
                ++seats;
                if (group >= target_ && seats >= replicasMin) return (seats, true);
            }
        }
    }
}
