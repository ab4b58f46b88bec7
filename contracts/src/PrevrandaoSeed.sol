// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ISeed} from "./interfaces/ISeed.sol";
import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";

/// @title The beacon chain's randomness as seeds
/// @notice For Ethereum: the seed of deals that opened in a block is the prevrandao of the block after it, which nobody knew
/// when they opened and whose proposer can only take or leave (one bit, at the price of a block). Certificates say so by
/// `seedKind` 2. On a rollup the sequencer may set or foresee this value: see the chain's documents before choosing it.
/// @dev Written down by anybody, in the next block itself or later with that block's header, as long as its hash can be had
/// (8,191 blocks, EIP-2935). EIP-4399.
contract PrevrandaoSeed is ISeed {
    /// @dev Kind of these seeds in certificates.
    uint8 private constant KIND = 2;

    /// @notice Seeds that were written down.
    mapping(uint256 blockNumber => bytes32 seed) public pinned;

    /// @notice Emitted when a block's seed is written down, so that it does not age out.
    event SeedPinned(uint256 indexed blockNumber, bytes32 seed);

    /// @notice Thrown when a header is not that of a block of this chain whose hash can be had.
    error HeaderUnknown(bytes32 headerHash);

    /// @notice Writes down the seed for deals that opened in the block before the header's.
    /// @param header RLP of a block's header.
    /// @return blockNumber The block whose deals have this seed.
    /// @return seed The header's prevrandao.
    function proveSeed(bytes calldata header) external returns (uint256 blockNumber, bytes32 seed) {
        bytes memory header_ = header;
        if (!BlockHeader.verifyBlockHeader(header_)) revert HeaderUnknown(keccak256(header_));
        blockNumber = BlockHeader.getNumber(header_) - 1;
        seed = _pin(blockNumber, BlockHeader.getPrevRandao(header_));
    }

    /// @notice Writes the seed of the block before this one down. Anybody may; {proveSeed} is for older blocks.
    function pinSeed(uint256 blockNumber) external returns (bytes32 seed) {
        seed = pinned[blockNumber];
        if (seed == 0) {
            if (blockNumber + 1 != block.number) revert SeedUnavailable(blockNumber);
            seed = _pin(blockNumber, bytes32(block.prevrandao));
        }
    }

    /// @inheritdoc ISeed
    function seedOf(uint256 blockNumber, uint256) external view returns (bytes32 seed, uint8 kind) {
        seed = pinned[blockNumber];
        if (seed == 0) revert SeedUnavailable(blockNumber);
        return (seed, KIND);
    }

    /// @dev A chain without randomness says zero, which is no seed.
    function _pin(uint256 blockNumber, bytes32 found) private returns (bytes32 seed) {
        if (found == 0) revert SeedUnavailable(blockNumber);
        if (pinned[blockNumber] == 0) {
            pinned[blockNumber] = found;
            emit SeedPinned(blockNumber, found);
        }
        return found;
    }
}
