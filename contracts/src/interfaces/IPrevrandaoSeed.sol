// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISeed} from "./ISeed.sol";

/// @title The beacon chain's randomness as seeds
/// @notice For Ethereum: the seed of deals that opened in a block is the prevrandao of the block after it, which nobody knew
/// when they opened and whose proposer can only take or leave (one bit, at the price of a block). Certificates say so by
/// `seedKind` 2. On a rollup the sequencer may set or foresee this value: see the chain's documents before choosing it.
interface IPrevrandaoSeed is ISeed {
    /// @notice Emitted when a block's seed is written down, so that it does not age out.
    event SeedPinned(uint256 indexed blockNumber, bytes32 seed);

    /// @notice Thrown when a header is not that of a block of this chain whose hash can be had.
    error HeaderUnknown(bytes32 headerHash);

    /// @notice Writes down the seed for deals that opened in the block before the header's.
    /// @param header RLP of a block's header.
    /// @return blockNumber The block whose deals have this seed.
    /// @return seed The header's prevrandao.
    function proveSeed(bytes calldata header) external returns (uint256 blockNumber, bytes32 seed);

    /// @notice Writes the seed of the block before this one down. Anybody may; {proveSeed} is for older blocks.
    function pinSeed(uint256 blockNumber) external returns (bytes32 seed);

    /// @notice Seeds that were written down.
    function pinned(uint256 blockNumber) external view returns (bytes32 seed);
}
