// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What workers and coordinators sign
/// @notice Struct hashes under the Certifier's domain: `docs/encoding.md` section 1.
library Messages {
    bytes32 private constant COMMITMENT = keccak256("Commitment(bytes32 roundId,uint8 wave,bytes32 commitment)");
    bytes32 private constant CONTRIBUTION =
        keccak256("Contribution(bytes32 roundId,uint8 wave,bytes32 root,uint64 fuel,bytes32 listHash)");
    bytes32 private constant UNAVAILABLE = keccak256("Unavailable(bytes32 roundId,uint8 wave)");
    bytes32 private constant ROUND_LIST = keccak256("RoundList(bytes32 roundId,uint8 wave,bytes32 listHash)");

    /// @notice A worker's blind promise.
    function commitment(bytes32 roundId, uint256 wave, bytes32 commitment_) internal pure returns (bytes32) {
        return keccak256(abi.encode(COMMITMENT, roundId, wave, commitment_));
    }

    /// @notice A worker's claim, over the list that it saw.
    function contribution(bytes32 roundId, uint256 wave, bytes32 root, uint256 fuel, bytes32 listHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(CONTRIBUTION, roundId, wave, root, fuel, listHash));
    }

    /// @notice A worker's word that the bytes were withheld.
    function unavailable(bytes32 roundId, uint256 wave) internal pure returns (bytes32) {
        return keccak256(abi.encode(UNAVAILABLE, roundId, wave));
    }

    /// @notice A coordinator's list.
    function roundList(bytes32 roundId, uint256 wave, bytes32 listHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(ROUND_LIST, roundId, wave, listHash));
    }
}
