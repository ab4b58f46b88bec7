// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AppOrder, DatasetOrder, PoolOrder, RequestOrder} from "../types/Orders.sol";

/// @title EIP-712 struct hashes of the orders
/// @notice The type strings are the structs of `types/Orders.sol`, field by field.
/// @dev Static structs in calldata are their ABI words already, so they are hashed as they lie; dirty upper bits only
/// make another hash, which nobody signed.
library OrderHashes {
    bytes32 internal constant APP_ORDER = keccak256(
        "AppOrder(uint256 app,uint96 price,uint64 volume,uint256 datasetRestrict,uint32 poolRestrict,"
        "address requesterRestrict,uint64 expiry,uint64 nonce,bytes32 salt)"
    );
    bytes32 internal constant DATASET_ORDER = keccak256(
        "DatasetOrder(uint256 dataset,uint96 price,uint64 volume,uint256 appRestrict,uint32 poolRestrict,"
        "address requesterRestrict,uint64 expiry,uint64 nonce,bytes32 salt)"
    );
    bytes32 internal constant POOL_ORDER = keccak256(
        "PoolOrder(uint32 pool,uint96 feePerMfuel,uint96 minimumFee,uint64 volume,uint64 fuelLimitMax,"
        "uint256 appRestrict,uint256 datasetRestrict,address requesterRestrict,uint64 expiry,uint32 nonce,bytes32 salt)"
    );
    bytes32 internal constant POLICY = keccak256(
        "Policy(uint32 confidence,uint16 faultyShareBps,uint8 replicasMin,uint8 replicasMax,uint96 collateralMin,"
        "bool countReputation,uint8 evidence,uint32 disputeWindow,bool finalOnly)"
    );
    bytes32 internal constant REQUEST_ORDER = keccak256(
        "RequestOrder(address requester,address payer,address beneficiary,uint256 app,uint256 dataset,uint32 pool,"
        "uint96 appPriceMax,uint96 datasetPriceMax,uint96 feePerMfuelMax,uint96 deliveryTip,address callback,"
        "uint32 callbackGas,bytes32 inputs,uint32 taskCount,uint32 batchSize,uint64 fuelLimit,uint64 memoryLimit,"
        "uint64 deadline,Policy policy,uint64 expiry,uint64 nonce,bytes32 salt)"
        "Policy(uint32 confidence,uint16 faultyShareBps,uint8 replicasMin,uint8 replicasMax,uint96 collateralMin,"
        "bool countReputation,uint8 evidence,uint32 disputeWindow,bool finalOnly)"
    );

    /// @notice Struct hash of an app order.
    function hash(AppOrder calldata order) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := order
        }
        return _hash(APP_ORDER, start, 9);
    }

    /// @notice Struct hash of a dataset order.
    function hash(DatasetOrder calldata order) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := order
        }
        return _hash(DATASET_ORDER, start, 9);
    }

    /// @notice Struct hash of a pool order.
    function hash(PoolOrder calldata order) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := order
        }
        return _hash(POOL_ORDER, start, 11);
    }

    /// @notice Struct hash of a request: 18 words, the policy's hash, 3 words.
    function hash(RequestOrder calldata order) internal pure returns (bytes32 result) {
        bytes32 policyType = POLICY;
        bytes32 requestType = REQUEST_ORDER;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, policyType)
            calldatacopy(add(free, 32), add(order, 576), 288)
            let policyHash := keccak256(free, 320)
            mstore(free, requestType)
            calldatacopy(add(free, 32), order, 576)
            mstore(add(free, 608), policyHash)
            calldatacopy(add(free, 640), add(order, 864), 96)
            result := keccak256(free, 736)
        }
    }

    /// @dev keccak256(type hash, `words` words of calldata from `start`).
    function _hash(bytes32 typeHash, uint256 start, uint256 words) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 32), start, mul(words, 32))
            result := keccak256(free, mul(add(words, 1), 32))
        }
    }
}
