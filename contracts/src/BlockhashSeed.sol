// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBlockhashSeed} from "./interfaces/IBlockhashSeed.sol";
import {ISeed} from "./interfaces/ISeed.sol";

/// @title BlockhashSeed
/// @notice Block hashes as seeds: see {IBlockhashSeed}.
/// @dev BLOCKHASH for 256 blocks, EIP-2935's contract for 8,191, what was pinned for ever.
contract BlockhashSeed is IBlockhashSeed {
    /// @dev Kind of these seeds in certificates.
    uint8 private constant KIND = 1;
    /// @dev EIP-2935: hashes of the last 8,191 blocks.
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    /// @inheritdoc IBlockhashSeed
    mapping(uint256 blockNumber => bytes32 seed) public pinned;

    /// @inheritdoc IBlockhashSeed
    function pinSeed(uint256 blockNumber) external returns (bytes32 seed) {
        seed = _find(blockNumber);
        if (pinned[blockNumber] == 0) {
            pinned[blockNumber] = seed;
            emit SeedPinned(blockNumber, seed);
        }
    }

    /// @inheritdoc ISeed
    function seedOf(uint256 blockNumber, uint256) external view returns (bytes32 seed, uint8 kind) {
        return (_find(blockNumber), KIND);
    }

    /// @dev Looks where it costs least first.
    function _find(uint256 blockNumber) private view returns (bytes32 seed) {
        if (blockNumber < block.number) {
            seed = blockhash(blockNumber);
            if (seed == 0) seed = pinned[blockNumber];
            if (seed == 0) seed = _fromHistory(blockNumber);
        }
        if (seed == 0) revert SeedUnavailable(blockNumber);
    }

    /// @dev Asks EIP-2935's contract; zero where it does not know or is not there.
    function _fromHistory(uint256 blockNumber) private view returns (bytes32 seed) {
        assembly ("memory-safe") {
            mstore(0, blockNumber)
            let ok := staticcall(gas(), HISTORY, 0, 32, 0, 32)
            if and(ok, gt(returndatasize(), 31)) { seed := mload(0) }
        }
    }
}
