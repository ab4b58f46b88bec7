// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// Orders: signed EIP-712 offers (domain: name "Guildhall Market", version "1", chain id, Market's address).
// Amounts are in the token's smallest unit, times in Unix seconds, fuel in units of the runtime.
// "0 = any" restrictions keep a side open; `requesterRestrict` is an address, or a contract that answers {IGroup}.

/// @notice What a requester asks of the certificate (PROTOCOL section 4).
/// @param confidence Odds to one that the result is right (999 means 999:1).
/// @param faultyShareBps Assumed share of faulty stake, in basis points (500 to 4,900).
/// @param replicasMin Distinct operators that must agree whatever their reputation.
/// @param replicasMax Executions paid at most, 32 at most; the payer locks this many.
/// @param collateralMin Free stake that must stand behind the certificate.
/// @param countReputation Whether reputation lowers a worker's assumed odds of being faulty.
/// @param evidence Bitmap of the evidence kinds that every contributor must have.
/// @param disputeWindow Seconds between provisional and final.
/// @param finalOnly Whether delivery waits for a final certificate.
struct Policy {
    uint32 confidence;
    uint16 faultyShareBps;
    uint8 replicasMin;
    uint8 replicasMax;
    uint96 collateralMin;
    bool countReputation;
    uint8 evidence;
    uint32 disputeWindow;
    bool finalOnly;
}

/// @notice An app owner's offer: executions of `app` at `price` a task.
/// @param nonce The asset's order nonce in {IRegistry}: a transfer or a cancel-all bumps it.
struct AppOrder {
    uint256 app;
    uint96 price;
    uint64 volume;
    uint256 datasetRestrict;
    uint32 poolRestrict;
    address requesterRestrict;
    uint64 expiry;
    uint64 nonce;
    bytes32 salt;
}

/// @notice A dataset owner's offer: use of `dataset` at `price` a task.
struct DatasetOrder {
    uint256 dataset;
    uint96 price;
    uint64 volume;
    uint256 appRestrict;
    uint32 poolRestrict;
    address requesterRestrict;
    uint64 expiry;
    uint64 nonce;
    bytes32 salt;
}

/// @notice A pool owner's offer: executions at `feePerMfuel` per million fuel of an execution.
/// @param minimumFee Kept of a batch's refund when it expires: at most the fee of one execution of a full batch.
/// @param fuelLimitMax The longest execution that the pool takes.
struct PoolOrder {
    uint32 pool;
    uint96 feePerMfuel;
    uint96 minimumFee;
    uint64 volume;
    uint64 fuelLimitMax;
    uint256 appRestrict;
    uint256 datasetRestrict;
    address requesterRestrict;
    uint64 expiry;
    uint32 nonce;
    bytes32 salt;
}

/// @notice A requester's order. Taken whole: its EIP-712 digest is the deal's id.
/// @param payer Who pays; when it is not the requester it signs this same order.
/// @param dataset 0 = none; then the dataset order of a match is all zeros.
/// @param deliveryTip Offered to whoever delivers a task's result to the callback, out of the requester's balance at that moment; 0 =
/// nothing. Needs a callback.
/// @param inputs Content id (BLAKE3) of the manifest that names the tasks' inputs, arguments and environment.
/// @param batchSize Tasks that are certified together; the last batch may be shorter.
/// @param fuelLimit Limit of one execution, 2^62 at most.
/// @param memoryLimit Limit of one execution's memory, in bytes: 64 KiB (one page) to 4 GiB.
/// @param deadline Last second in which a batch may be certified.
/// @param nonce The requester's nonce in {IMarket}: a cancel-all bumps it.
struct RequestOrder {
    address requester;
    address payer;
    address beneficiary;
    uint256 app;
    uint256 dataset;
    uint32 pool;
    uint96 appPriceMax;
    uint96 datasetPriceMax;
    uint96 feePerMfuelMax;
    uint96 deliveryTip;
    address callback;
    uint32 callbackGas;
    bytes32 inputs;
    uint32 taskCount;
    uint32 batchSize;
    uint64 fuelLimit;
    uint64 memoryLimit;
    uint64 deadline;
    Policy policy;
    uint64 expiry;
    uint64 nonce;
    bytes32 salt;
}

/// @notice The signatures of a match: 65 or 64 bytes (EIP-2098), ERC-1271, or empty where signed on chain.
/// @dev `payer` is empty when payer and requester are one; `dataset` is empty when there is none.
struct Signatures {
    bytes app;
    bytes dataset;
    bytes pool;
    bytes request;
    bytes payer;
}
