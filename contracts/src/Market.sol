// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Owned} from "./Owned.sol";
import {IGroup} from "./interfaces/IGroup.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IVault} from "./interfaces/IVault.sol";
import {IWorkforce} from "./interfaces/IWorkforce.sol";
import {Confidence} from "./libraries/Confidence.sol";
import {OpenedWords} from "./libraries/OpenedWords.sol";
import {OrderHashes} from "./libraries/OrderHashes.sol";
import {ParametersWords} from "./libraries/ParametersWords.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {PolicyWords} from "./libraries/PolicyWords.sol";
import {Domain, SignatureChecks} from "./libraries/SignatureChecks.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {AppOrder, DatasetOrder, Policy, PoolOrder, RequestOrder, Signatures} from "./types/Orders.sol";
import {Parameters, ParametersWord} from "./types/Parameters.sol";
import {OpenedWord, Terms} from "./types/Terms.sol";
import {PoolWord} from "./types/Workers.sol";

/// @title Market
/// @notice Orders to deals: see {IMarket}.
/// @dev Knows orders and prices, not rounds. Foreign code is asked by static call only (ERC-1271, groups); the token runs in
/// {matchWithPermit} before anything is read.
contract Market is IMarket, Owned, Domain {
    using OrderHashes for AppOrder;
    using OrderHashes for DatasetOrder;
    using OrderHashes for PoolOrder;
    using OrderHashes for RequestOrder;

    /// @dev Executions paid at most.
    uint256 private constant REPLICAS_MAX = 32;
    /// @dev Tasks of a batch at most: a proof of 16 words.
    uint256 private constant BATCH_SIZE_MAX = 65_536;
    /// @dev Fuel that one execution may take at most: the sandbox takes no task with a higher limit.
    uint256 private constant FUEL_LIMIT_MAX = 1 << 62;
    /// @dev Memory of one execution, in bytes: a page of WebAssembly at least, all that 32 bits address at most.
    uint256 private constant MEMORY_LIMIT_MIN = 1 << 16;
    uint256 private constant MEMORY_LIMIT_MAX = 1 << 32;
    /// @dev Gas that a callback may ask for at most.
    uint256 private constant CALLBACK_GAS_MAX = 1_000_000;
    /// @dev A deal lasts at most so long.
    uint256 private constant DURATION_MAX = 365 days;
    /// @dev Gas that a group contract gets to answer.
    uint256 private constant GROUP_GAS = 50_000;
    /// @dev What stands in place of a deal's hash when it is over or was never wanted.
    bytes32 private constant CLOSED = bytes32(uint256(1));
    /// @dev What stands in place of an order's fill when it was cancelled.
    uint256 private constant CANCELLED = type(uint64).max;

    /// @notice The ledger.
    IVault public immutable vault;
    /// @notice Apps and datasets.
    IRegistry public immutable registry;
    /// @notice Pools.
    IWorkforce public immutable workforce;
    /// @notice May close deals.
    address public immutable certifier;

    /// @inheritdoc IMarket
    ParametersWord public currentParameters;
    mapping(uint256 version => ParametersWord parameters) private _parameters;
    mapping(bytes32 dealId => bytes32 hash) private _deals;
    /// @inheritdoc IMarket
    mapping(bytes32 orderHash => uint256 tasks) public filled;
    mapping(bytes32 orderHash => mapping(address signer => bool yes)) private _signed;

    constructor(
        address vault_,
        address registry_,
        address workforce_,
        address certifier_,
        address owner_,
        Parameters memory parameters
    ) Owned(owner_) {
        vault = IVault(vault_);
        registry = IRegistry(registry_);
        workforce = IWorkforce(workforce_);
        certifier = certifier_;
        _setParameters(parameters);
    }

    /// @inheritdoc IMarket
    function matchOrders(
        AppOrder calldata app,
        DatasetOrder calldata dataset,
        PoolOrder calldata pool,
        RequestOrder calldata request,
        Signatures calldata signatures
    ) external returns (bytes32 dealId) {
        return _match(app, dataset, pool, request, signatures);
    }

    /// @inheritdoc IMarket
    function matchWithPermit(
        AppOrder calldata app,
        DatasetOrder calldata dataset,
        PoolOrder calldata pool,
        RequestOrder calldata request,
        Signatures calldata signatures,
        IVault.Permit calldata permit
    ) external returns (bytes32 dealId) {
        // The match below checks that the payer signed this very request; if not, the deposit is undone with it.
        vault.pull(request.payer, _lockOf(request, app.price, dataset.price, pool.feePerMfuel), permit);
        return _match(app, dataset, pool, request, signatures);
    }

    /// @inheritdoc IMarket
    function cancelAppOrder(AppOrder calldata order) external {
        _cancel(hashAppOrder(order), registry.ownerOf(order.app));
    }

    /// @inheritdoc IMarket
    function cancelDatasetOrder(DatasetOrder calldata order) external {
        _cancel(hashDatasetOrder(order), registry.ownerOf(order.dataset));
    }

    /// @inheritdoc IMarket
    function cancelPoolOrder(PoolOrder calldata order) external {
        _cancel(hashPoolOrder(order), workforce.poolOf(order.pool).owner());
    }

    /// @inheritdoc IMarket
    function cancelRequest(RequestOrder calldata order) external {
        if (msg.sender != order.requester && msg.sender != order.payer) revert NotAllowed(msg.sender);
        bytes32 dealId = hashRequest(order);
        if (_deals[dealId] != 0) revert RequestUsed(dealId);
        _deals[dealId] = CLOSED;
        emit OrderCancelled(dealId, msg.sender);
    }

    /// @inheritdoc IMarket
    function cancelAllRequests() external returns (uint256 nonce) {
        return vault.bumpNonce(msg.sender);
    }

    /// @inheritdoc IMarket
    function signOrder(bytes32 orderHash) external {
        _signed[orderHash][msg.sender] = true;
        emit OrderSigned(orderHash, msg.sender);
    }

    /// @inheritdoc IMarket
    function setParameters(Parameters calldata parameters) external onlyOwner {
        _setParameters(parameters);
    }

    /// @inheritdoc IMarket
    function close(bytes32 dealId) external {
        if (msg.sender != certifier) revert NotAllowed(msg.sender);
        _deals[dealId] = CLOSED;
    }

    /// @inheritdoc IMarket
    function deal(bytes32 dealId, uint256 version) external view returns (bytes32 hash, ParametersWord parameters) {
        return (_deals[dealId], _parameters[version]);
    }

    /// @inheritdoc IMarket
    function termsHash(bytes32 dealId) external view returns (bytes32) {
        return _deals[dealId];
    }

    /// @inheritdoc IMarket
    function isSigned(bytes32 orderHash, address signer) external view returns (bool) {
        return _signed[orderHash][signer];
    }

    /// @inheritdoc IMarket
    function hashAppOrder(AppOrder calldata order) public view returns (bytes32) {
        return SignatureChecks.digestOf(_domain(), order.hash());
    }

    /// @inheritdoc IMarket
    function hashDatasetOrder(DatasetOrder calldata order) public view returns (bytes32) {
        return SignatureChecks.digestOf(_domain(), order.hash());
    }

    /// @inheritdoc IMarket
    function hashPoolOrder(PoolOrder calldata order) public view returns (bytes32) {
        return SignatureChecks.digestOf(_domain(), order.hash());
    }

    /// @inheritdoc IMarket
    function hashRequest(RequestOrder calldata order) public view returns (bytes32) {
        return SignatureChecks.digestOf(_domain(), order.hash());
    }

    /// @dev Checks everything, stores the terms' hash, locks the funds.
    function _match(
        AppOrder calldata app,
        DatasetOrder calldata dataset,
        PoolOrder calldata pool,
        RequestOrder calldata request,
        Signatures calldata signatures
    ) private returns (bytes32 dealId) {
        ParametersWord parameters = currentParameters;
        Terms memory terms;
        dealId = hashRequest(request);
        terms.dealId = dealId;
        if (_deals[dealId] != 0) revert RequestUsed(dealId);
        _checkRequest(dealId, request, parameters);
        _checkSigners(dealId, request, signatures);
        PoolWord poolWord = _takePool(pool, request, signatures.pool);
        uint256 runtime = _takeAssets(terms, app, dataset, request, signatures);
        _fill(terms, request, pool);
        terms.opened = _opened(request, parameters, poolWord, runtime);
        _deals[dealId] = TermsHash.hashMemory(terms);
        _lock(request, terms);
        emit DealOpened(dealId, request.pool, request.requester, terms);
    }

    /// @dev What fixes the deal's rounds: nobody can move it later.
    function _opened(RequestOrder calldata request, ParametersWord parameters, PoolWord pool, uint256 runtime)
        private
        view
        returns (OpenedWord)
    {
        return OpenedWords.pack(
                block.number, block.timestamp, pool.bond(), parameters.version(), runtime, pool.shareBps()
            )
            .withRates(
                parameters.protocolFeeBps(), parameters.reputationStep(), parameters.patienceSecs(_batchFuel(request))
            );
    }

    /// @dev Takes the request's tasks of the pool order.
    function _takePool(PoolOrder calldata pool, RequestOrder calldata request, bytes calldata signature)
        private
        returns (PoolWord word)
    {
        bytes32 orderHash = hashPoolOrder(pool);
        if (pool.pool != request.pool) revert OrdersMismatch("pool", request.pool, pool.pool);
        if (pool.feePerMfuel > request.feePerMfuelMax) {
            revert PriceTooHigh("work", pool.feePerMfuel, request.feePerMfuelMax);
        }
        uint256 execution = _executionOf(request, pool.feePerMfuel);
        if (pool.minimumFee > execution) revert PriceTooHigh("minimum", pool.minimumFee, execution);
        if (request.fuelLimit > pool.fuelLimitMax) {
            revert RequestOutOfBounds("fuelLimit", request.fuelLimit, 1, pool.fuelLimitMax);
        }
        if (pool.appRestrict != 0 && pool.appRestrict != request.app) revert Restricted(orderHash, "app");
        if (pool.datasetRestrict != 0 && pool.datasetRestrict != request.dataset) {
            revert Restricted(orderHash, "dataset");
        }
        word = workforce.poolOf(pool.pool);
        if (word.owner() == address(0) || word.closing()) revert PoolClosed(pool.pool);
        if (word.nonce() != pool.nonce) revert WrongNonce(orderHash, pool.nonce, word.nonce());
        _checkGroup(orderHash, pool.requesterRestrict, request.requester);
        _checkExpiry(orderHash, pool.expiry);
        _checkSignature(orderHash, word.owner(), signature);
        _takeVolume(orderHash, pool.volume, request.taskCount);
    }

    /// @dev Takes the request's tasks of the app and dataset orders, and fixes their owners and prices in the terms.
    function _takeAssets(
        Terms memory terms,
        AppOrder calldata app,
        DatasetOrder calldata dataset,
        RequestOrder calldata request,
        Signatures calldata signatures
    ) private returns (uint256 runtime) {
        if (app.app != request.app) revert OrdersMismatch("app", request.app, app.app);
        if (dataset.dataset != request.dataset) revert OrdersMismatch("dataset", request.dataset, dataset.dataset);
        IRegistry.Owners memory owners = registry.owners(request.app, request.dataset);
        _takeApp(app, request, owners, signatures.app);
        if (request.dataset != 0) _takeDataset(dataset, request, owners, signatures.dataset);
        else if (dataset.price != 0) revert PriceTooHigh("dataset", dataset.price, 0);
        terms.appOwner = owners.appOwner;
        terms.appPrice = app.price;
        terms.datasetOwner = owners.datasetOwner;
        terms.datasetPrice = dataset.price;
        return owners.runtime;
    }

    /// @dev Takes the request's tasks of the app order.
    function _takeApp(
        AppOrder calldata app,
        RequestOrder calldata request,
        IRegistry.Owners memory owners,
        bytes calldata signature
    ) private {
        bytes32 orderHash = hashAppOrder(app);
        if (app.price > request.appPriceMax) revert PriceTooHigh("app", app.price, request.appPriceMax);
        if (app.datasetRestrict != 0 && app.datasetRestrict != request.dataset) {
            revert Restricted(orderHash, "dataset");
        }
        if (app.poolRestrict != 0 && app.poolRestrict != request.pool) revert Restricted(orderHash, "pool");
        if (app.nonce != owners.appNonce) revert WrongNonce(orderHash, app.nonce, owners.appNonce);
        _checkGroup(orderHash, app.requesterRestrict, request.requester);
        _checkExpiry(orderHash, app.expiry);
        _checkSignature(orderHash, owners.appOwner, signature);
        _takeVolume(orderHash, app.volume, request.taskCount);
    }

    /// @dev Takes the request's tasks of the dataset order.
    function _takeDataset(
        DatasetOrder calldata dataset,
        RequestOrder calldata request,
        IRegistry.Owners memory owners,
        bytes calldata signature
    ) private {
        bytes32 orderHash = hashDatasetOrder(dataset);
        if (dataset.price > request.datasetPriceMax) {
            revert PriceTooHigh("dataset", dataset.price, request.datasetPriceMax);
        }
        if (dataset.appRestrict != 0 && dataset.appRestrict != request.app) revert Restricted(orderHash, "app");
        if (dataset.poolRestrict != 0 && dataset.poolRestrict != request.pool) revert Restricted(orderHash, "pool");
        if (dataset.nonce != owners.datasetNonce) revert WrongNonce(orderHash, dataset.nonce, owners.datasetNonce);
        _checkGroup(orderHash, dataset.requesterRestrict, request.requester);
        _checkExpiry(orderHash, dataset.expiry);
        _checkSignature(orderHash, owners.datasetOwner, signature);
        _takeVolume(orderHash, dataset.volume, request.taskCount);
    }

    /// @dev Locks the worst case and checks the requester's nonce, which lies beside the payer's balance.
    function _lock(RequestOrder calldata request, Terms memory terms) private {
        uint256 amount = _lockOf(request, terms.appPrice, terms.datasetPrice, terms.feePerMfuel);
        if (amount > type(uint96).max) revert LockTooLarge(amount);
        uint256 nonce = vault.lock(request.payer, amount);
        if (request.payer != request.requester) nonce = vault.nonceOf(request.requester);
        if (request.nonce != nonce) revert WrongNonce(terms.dealId, request.nonce, nonce);
    }

    /// @dev Counts the request's tasks against an order's volume.
    function _takeVolume(bytes32 orderHash, uint256 volume, uint256 tasks) private {
        uint256 done = filled[orderHash];
        if (done == CANCELLED) revert Cancelled(orderHash);
        if (done + tasks > volume || done + tasks >= CANCELLED) revert OverVolume(orderHash, done, volume, tasks);
        filled[orderHash] = done + tasks;
    }

    /// @dev Marks an order as cancelled for ever.
    function _cancel(bytes32 orderHash, address signer) private {
        if (msg.sender != signer) revert NotAllowed(msg.sender);
        filled[orderHash] = CANCELLED;
        emit OrderCancelled(orderHash, signer);
    }

    /// @dev Sets the next version of the parameters.
    function _setParameters(Parameters memory parameters) private {
        uint256 version = currentParameters.version() + 1;
        ParametersWord word = ParametersWords.pack(parameters, version);
        currentParameters = word;
        _parameters[version] = word;
        // Fits: bounded in pack.
        emit ParametersSet(uint16(version), parameters);
    }

    /// @dev The requester signed, and the payer too where it is somebody else.
    function _checkSigners(bytes32 dealId, RequestOrder calldata request, Signatures calldata signatures) private view {
        _checkSignature(dealId, request.requester, signatures.request);
        if (request.payer != request.requester) _checkSignature(dealId, request.payer, signatures.payer);
    }

    /// @dev Signed by key, by contract, on chain before, or by being the caller.
    function _checkSignature(bytes32 orderHash, address signer, bytes calldata signature) private view {
        bool ok = signature.length == 0
            ? (msg.sender == signer || _signed[orderHash][signer])
            : SignatureChecks.isValid(signer, orderHash, signature);
        if (!ok) revert BadSignature(orderHash, signer);
    }

    /// @dev Asks a restriction: the requester itself, or a group contract with bounded gas.
    function _checkGroup(bytes32 orderHash, address restrict, address requester) private view {
        if (restrict == address(0) || restrict == requester) return;
        bytes memory question = abi.encodeCall(IGroup.isMember, (requester));
        bool member;
        assembly ("memory-safe") {
            let success := staticcall(GROUP_GAS, restrict, add(question, 32), mload(question), 0, 32)
            member := and(success, and(gt(returndatasize(), 31), eq(mload(0), 1)))
        }
        if (!member) revert Restricted(orderHash, "requester");
    }

    /// @dev Orders end with their second of expiry.
    function _checkExpiry(bytes32 orderHash, uint256 expiry) private view {
        if (block.timestamp > expiry) revert OrderExpired(orderHash, expiry);
    }

    /// @dev The request's own bounds and its policy.
    function _checkRequest(bytes32 dealId, RequestOrder calldata request, ParametersWord parameters) private view {
        _checkExpiry(dealId, request.expiry);
        _bound("taskCount", request.taskCount, 1, type(uint32).max);
        _bound("batchSize", request.batchSize, 1, BATCH_SIZE_MAX);
        _bound("callbackGas", request.callbackGas, 0, CALLBACK_GAS_MAX);
        if (request.deliveryTip != 0 && request.callback == address(0)) revert TipWithoutCallback(request.deliveryTip);
        _bound("fuelLimit", request.fuelLimit, 1, FUEL_LIMIT_MAX);
        _bound("memoryLimit", request.memoryLimit, MEMORY_LIMIT_MIN, MEMORY_LIMIT_MAX);
        uint256 batchFuel = _batchFuel(request);
        _bound("batch fuel", batchFuel, 1, type(uint64).max);
        uint256 earliest = block.timestamp + parameters.patienceSecs(batchFuel);
        _bound("deadline", request.deadline, earliest, block.timestamp + DURATION_MAX);
        Policy calldata policy = request.policy;
        if (policy.evidence != 0) revert EvidenceUnsupported(policy.evidence);
        _bound("confidence", policy.confidence, 1, type(uint32).max);
        _bound("faultyShareBps", policy.faultyShareBps, 500, 4900);
        _bound("replicasMin", policy.replicasMin, 1, policy.replicasMax);
        _bound("replicasMax", policy.replicasMax, 1, REPLICAS_MAX);
        _bound("disputeWindow", policy.disputeWindow, parameters.disputeWindowMinSecs(), WorkerWords.DISPUTE_WINDOW_MAX);
        (, bool reached) = Confidence.seatsFor(
            Confidence.target(policy.confidence, 0),
            Confidence.freshWeight(policy.faultyShareBps),
            policy.replicasMin,
            policy.replicasMax
        );
        if (!reached) revert ConfidenceUnreachable(policy.confidence, policy.replicasMax);
    }

    /// @dev Fuel that a full batch may take in one execution.
    function _batchFuel(RequestOrder calldata request) private pure returns (uint256) {
        uint256 tasks = request.taskCount < request.batchSize ? request.taskCount : request.batchSize;
        return request.fuelLimit * tasks;
    }

    /// @dev Fee of one execution of a full batch at its limit. A pool keeps no more than this of a batch that expires: the
    /// requester signs no other cap, and a pool could live on batches that it never works on.
    function _executionOf(RequestOrder calldata request, uint256 fee) private pure returns (uint256) {
        uint256 tasks = request.taskCount < request.batchSize ? request.taskCount : request.batchSize;
        return Payouts.lockOf(1, request.fuelLimit, tasks, fee, 0);
    }

    /// @dev The worst case of all batches.
    function _lockOf(RequestOrder calldata request, uint256 appPrice, uint256 datasetPrice, uint256 fee)
        private
        pure
        returns (uint256)
    {
        _bound("batchSize", request.batchSize, 1, BATCH_SIZE_MAX);
        uint256 full = request.taskCount / request.batchSize;
        uint256 rest = request.taskCount % request.batchSize;
        uint256 replicasMax = request.policy.replicasMax;
        uint256 price = appPrice + datasetPrice;
        return full * Payouts.lockOf(replicasMax, request.fuelLimit, request.batchSize, fee, price)
            + Payouts.lockOf(replicasMax, request.fuelLimit, rest, fee, price);
    }

    /// @dev Copies into the terms what the request and the pool's order say.
    function _fill(Terms memory terms, RequestOrder calldata request, PoolOrder calldata pool) private pure {
        terms.requester = request.requester;
        terms.payer = request.payer;
        terms.beneficiary = request.beneficiary;
        terms.app = request.app;
        terms.dataset = request.dataset;
        terms.pool = request.pool;
        terms.feePerMfuel = pool.feePerMfuel;
        terms.minimumFee = pool.minimumFee;
        terms.deliveryTip = request.deliveryTip;
        terms.callback = request.callback;
        terms.callbackGas = request.callbackGas;
        terms.inputs = request.inputs;
        terms.taskCount = request.taskCount;
        terms.batchSize = request.batchSize;
        terms.fuelLimit = request.fuelLimit;
        terms.memoryLimit = request.memoryLimit;
        terms.deadline = request.deadline;
        terms.policy = PolicyWords.pack(request.policy);
    }

    /// @dev Checks a field of the request.
    function _bound(bytes32 name, uint256 value, uint256 lowest, uint256 highest) private pure {
        if (value < lowest || value > highest) _refuse(name, value, lowest, highest);
    }

    /// @dev Reverts with the field's name and bounds; the name becomes a string only here.
    function _refuse(bytes32 name, uint256 value, uint256 lowest, uint256 highest) private pure {
        uint256 length;
        while (name[length] != 0) ++length;
        bytes memory text = abi.encodePacked(name);
        assembly ("memory-safe") {
            mstore(text, length)
        }
        revert RequestOutOfBounds(string(text), value, lowest, highest);
    }

    /// @inheritdoc Domain
    function _domainName() internal pure override returns (string memory) {
        return "Guildhall Market";
    }
}
