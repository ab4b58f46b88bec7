// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Where the lot's seed comes from
/// @notice Chosen at deployment and named in every certificate.
interface ISeed {
    /// @notice Emitted when a block's seed is written down, so that it does not age out.
    event SeedPinned(uint256 indexed blockNumber, bytes32 seed);

    /// @notice Thrown when a block's seed cannot be had: too new, too old and never pinned.
    error SeedUnavailable(uint256 blockNumber);

    /// @notice The seed for deals that opened in `blockNumber`, and its kind: 1 = block hash, 2 = prevrandao.
    function seedOf(uint256 blockNumber) external view returns (bytes32 seed, uint8 kind);

    /// @notice Writes the seed of a block down. Anybody may.
    function pinSeed(uint256 blockNumber) external returns (bytes32 seed);
}
