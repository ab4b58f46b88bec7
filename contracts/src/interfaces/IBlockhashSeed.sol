// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISeed} from "./ISeed.sol";

/// @title Block hashes as seeds
/// @notice For chains whose sealer is trusted with the draw: the embedded chain, development. Whoever seals the opening block
/// can try headers until the draw pleases; certificates say so by `seedKind` 1.
interface IBlockhashSeed is ISeed {
    /// @notice Emitted when a block's seed is written down, so that it does not age out.
    event SeedPinned(uint256 indexed blockNumber, bytes32 seed);

    /// @notice Writes the seed of a block down. Anybody may.
    function pinSeed(uint256 blockNumber) external returns (bytes32 seed);

    /// @notice Seeds that were written down.
    function pinned(uint256 blockNumber) external view returns (bytes32 seed);
}
