// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What the other contracts ask of the Court
/// @notice Disputes, audits and juries. Its address is fixed when the others are deployed, and may be zero or not yet have
/// code: then nothing is ever disputed.
interface ICourt {
    /// @notice Whether a dispute freezes this task of a disputed batch; `index` counts in the batch.
    function frozen(bytes32 dealId, uint256 batch, uint256 index) external view returns (bool);
}
