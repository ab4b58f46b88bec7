// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPrevrandaoSeed} from "./interfaces/IPrevrandaoSeed.sol";
import {ISeed} from "./interfaces/ISeed.sol";
import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";

/// @title PrevrandaoSeed
/// @notice The beacon chain's randomness as seeds: see {IPrevrandaoSeed}.
/// @dev Written down by anybody, in the next block itself or later with that block's header, as long as its hash can be had
/// (8,191 blocks, EIP-2935). EIP-4399.
contract PrevrandaoSeed is IPrevrandaoSeed {
    /// @dev Kind of these seeds in certificates.
    uint8 private constant KIND = 2;

    /// @inheritdoc IPrevrandaoSeed
    mapping(uint256 blockNumber => bytes32 seed) public pinned;

    /// @inheritdoc IPrevrandaoSeed
    function proveSeed(bytes calldata header) external returns (uint256 blockNumber, bytes32 seed) {
        bytes memory header_ = header;
        if (!BlockHeader.verifyBlockHeader(header_)) revert HeaderUnknown(keccak256(header_));
        blockNumber = BlockHeader.getNumber(header_) - 1;
        seed = _pin(blockNumber, BlockHeader.getPrevRandao(header_));
    }

    /// @inheritdoc IPrevrandaoSeed
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
