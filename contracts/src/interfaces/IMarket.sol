// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AppOrder, DatasetOrder, PoolOrder, RequestOrder, Signatures} from "../types/Orders.sol";
import {Parameters, ParametersWord} from "../types/Parameters.sol";
import {Terms} from "../types/Terms.sol";
import {IVault} from "./IVault.sol";

/// @title Orders to deals
/// @notice Four signed orders become a deal: everything is checked, funds are locked, one hash is stored.
interface IMarket {
    /// @notice Emitted when a deal opens; everything later needs these terms as calldata.
    event DealOpened(bytes32 indexed dealId, uint32 indexed pool, address indexed requester, Terms terms);
    /// @notice Emitted when an order dies by its signer's will.
    event OrderCancelled(bytes32 indexed orderHash, address indexed signer);
    /// @notice Emitted when an order is signed on chain.
    event OrderSigned(bytes32 indexed orderHash, address indexed signer);
    /// @notice Emitted when the owner sets parameters for deals to come.
    event ParametersSet(uint16 indexed version, Parameters parameters);

    /// @notice Thrown when a caller is not who the function belongs to.
    error NotAllowed(address caller);
    /// @notice Thrown when an order is over its time.
    error OrderExpired(bytes32 orderHash, uint256 expiry);
    /// @notice Thrown when an order's nonce is not its signer's: cancelled all at once, or sold.
    error WrongNonce(bytes32 orderHash, uint256 nonce, uint256 expected);
    /// @notice Thrown when an order was cancelled.
    error Cancelled(bytes32 orderHash);
    /// @notice Thrown when an order has fewer tasks left than the request needs.
    error OverVolume(bytes32 orderHash, uint256 filled, uint256 volume, uint256 tasks);
    /// @notice Thrown when a signature is not `signer`'s for this order on this chain.
    error BadSignature(bytes32 orderHash, address signer);
    /// @notice Thrown when the request was used or cancelled.
    error RequestUsed(bytes32 dealId);
    /// @notice Thrown when two orders name different apps, datasets or pools.
    error OrdersMismatch(string what, uint256 asked, uint256 offered);
    /// @notice Thrown when an order is restricted to somebody or something else.
    error Restricted(bytes32 orderHash, string what);
    /// @notice Thrown when a price is above the requester's cap.
    error PriceTooHigh(string what, uint256 price, uint256 cap);
    /// @notice Thrown when there is no such pool, or it is closing.
    error PoolClosed(uint256 pool);
    /// @notice Thrown when a field of the request leaves its bounds.
    error RequestOutOfBounds(string name, uint256 value, uint256 lowest, uint256 highest);
    /// @notice Thrown when a request offers a tip for deliveries and names no callback. Remedy: name one, or `deliveryTip = 0`.
    error TipWithoutCallback(uint256 deliveryTip);
    /// @notice Thrown when a policy asks for evidence kinds that nobody can give yet. Remedy: `evidence = 0`.
    error EvidenceUnsupported(uint256 evidence);
    /// @notice Thrown when `replicasMax` fresh workers cannot reach the confidence.
    error ConfidenceUnreachable(uint256 confidence, uint256 replicasMax);
    /// @notice Thrown when the sum to lock does not fit 96 bits.
    error LockTooLarge(uint256 amount);

    /// @notice Matches four orders into a deal. Anybody may call.
    /// @return dealId EIP-712 digest of the request order.
    function matchOrders(
        AppOrder calldata app,
        DatasetOrder calldata dataset,
        PoolOrder calldata pool,
        RequestOrder calldata request,
        Signatures calldata signatures
    ) external returns (bytes32 dealId);

    /// @notice Permit, deposit of what the payer lacks, and match in one transaction.
    function matchWithPermit(
        AppOrder calldata app,
        DatasetOrder calldata dataset,
        PoolOrder calldata pool,
        RequestOrder calldata request,
        Signatures calldata signatures,
        IVault.Permit calldata permit
    ) external returns (bytes32 dealId);

    /// @notice App owner: cancels an order.
    function cancelAppOrder(AppOrder calldata order) external;

    /// @notice Dataset owner: cancels an order.
    function cancelDatasetOrder(DatasetOrder calldata order) external;

    /// @notice Pool owner: cancels an order.
    function cancelPoolOrder(PoolOrder calldata order) external;

    /// @notice Requester or payer: cancels a request that is not matched yet.
    function cancelRequest(RequestOrder calldata order) external;

    /// @notice Requester: cancels all of its requests at once.
    function cancelAllRequests() external returns (uint256 nonce);

    /// @notice Signs an order on chain, in the caller's name; the match then brings an empty signature.
    /// @param orderHash EIP-712 digest of the order.
    function signOrder(bytes32 orderHash) external;

    /// @notice Owner: sets parameters for deals to come, within the bounds of {ParametersWords}.
    function setParameters(Parameters calldata parameters) external;

    /// @notice Certifier: closes a one-batch deal that expired.
    function close(bytes32 dealId) external;

    /// @notice Hash of a deal's terms (0 = no deal, 1 = closed or cancelled) and the parameters of `version`.
    function deal(bytes32 dealId, uint256 version) external view returns (bytes32 hash, ParametersWord parameters);

    /// @notice Hash of a deal's terms (0 = no deal, 1 = closed or cancelled).
    function termsHash(bytes32 dealId) external view returns (bytes32);

    /// @notice Parameters that the next deal opens with.
    function currentParameters() external view returns (ParametersWord);

    /// @notice Tasks that an order has given; the highest 64-bit number when it was cancelled.
    function filled(bytes32 orderHash) external view returns (uint256);

    /// @notice Whether `signer` signed an order on chain.
    function isSigned(bytes32 orderHash, address signer) external view returns (bool);

    /// @notice EIP-712 digests of the orders.
    function hashAppOrder(AppOrder calldata order) external view returns (bytes32);
    /// @notice EIP-712 digest of a dataset order.
    function hashDatasetOrder(DatasetOrder calldata order) external view returns (bytes32);
    /// @notice EIP-712 digest of a pool order.
    function hashPoolOrder(PoolOrder calldata order) external view returns (bytes32);
    /// @notice EIP-712 digest of a request: the id of its deal.
    function hashRequest(RequestOrder calldata order) external view returns (bytes32);
}
