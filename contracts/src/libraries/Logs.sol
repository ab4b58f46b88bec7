// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LogItem} from "../types/Certificates.sol";
import {Certificates} from "./Certificates.sol";

/// @title Logs
/// @notice What stands on chain for a round, item by item. Its hash starts with the round's id, so a log proves its round.
library Logs {
    /// @dev Kinds of items.
    uint256 internal constant COMMITTED = 1;
    uint256 internal constant REVEALED = 2;

    /// @notice Hash of a log, in the place where slots hold it; zero where nothing stands on chain.
    function hashOf(bytes32 roundId, LogItem[] calldata log) internal pure returns (bytes32 hash) {
        if (log.length == 0) return 0;
        hash = roundId;
        for (uint256 i; i < log.length; ++i) {
            hash = keccak256(abi.encode(hash, log[i].word, log[i].a, log[i].b)) & bytes32(Certificates.HASH_MASK);
        }
    }

    /// @notice Kind of an item.
    function kindOf(uint256 word) internal pure returns (uint256) {
        return uint8(word);
    }

    /// @notice Whose item it is.
    function workerOf(uint256 word) internal pure returns (address) {
        return address(uint160(word >> 96));
    }
}
