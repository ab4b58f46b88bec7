// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Where the lot's seed comes from
/// @notice Chosen at deployment and named in every certificate.
interface ISeed {
    /// @notice Thrown when a seed cannot be had: too new, or too old and never written down.
    error SeedUnavailable(uint256 blockNumber);

    /// @notice The seed for deals that opened in `blockNumber` at `time` (Unix seconds), and its kind: 1 = block hash,
    /// 2 = prevrandao, 3 = public beacon.
    function seedOf(uint256 blockNumber, uint256 time) external view returns (bytes32 seed, uint8 kind);
}
