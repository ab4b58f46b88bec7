// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "./interfaces/IVault.sol";
import {IWorkforce} from "./interfaces/IWorkforce.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {PoolWords} from "./libraries/PoolWords.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {PoolWord} from "./types/Workers.sol";

/// @title Pools
/// @notice The pools' half of {IWorkforce}: owners, coordinators, shares, admission and deposits.
abstract contract Pools is IWorkforce {
    /// @dev What is read seldom of a pool.
    struct PoolDetails {
        address coordinator;
        uint96 deposit;
        uint64 closesAt;
    }

    /// @dev Highest share of a pool, in basis points.
    uint256 internal constant SHARE_MAX_BPS = 5000;
    /// @dev Highest pool number: a worker's word has 24 bits for it.
    uint256 internal constant POOL_MAX = type(uint24).max;
    uint256 private constant NAME_BYTES_MAX = 128;
    uint256 private constant URL_BYTES_MAX = 256;

    /// @notice The ledger.
    IVault public immutable vault;
    /// @inheritdoc IWorkforce
    uint256 public immutable minimumDeposit;

    /// @notice Pools created so far; numbers count from 1.
    uint32 public pools;
    mapping(uint256 pool => PoolWord word) internal _pools;
    mapping(uint256 pool => PoolDetails details) private _details;
    /// @inheritdoc IWorkforce
    mapping(address coordinator => uint32 pool) public poolOfCoordinator;
    /// @inheritdoc IWorkforce
    mapping(uint32 pool => string url) public endpointOf;
    /// @inheritdoc IWorkforce
    mapping(uint32 pool => mapping(address operator => bool allowed)) public invited;

    constructor(address vault_, uint256 minimumDeposit_) {
        if (minimumDeposit_ > type(uint96).max) revert OutOfBounds(minimumDeposit_, type(uint96).max);
        vault = IVault(vault_);
        minimumDeposit = minimumDeposit_;
    }

    modifier onlyPoolOwner(uint256 pool) {
        if (_pools[pool].owner() != msg.sender) revert NotAllowed(msg.sender);
        _;
    }

    /// @inheritdoc IWorkforce
    function createPool(address coordinator, uint16 shareBps, bool invitation, uint256 deposit, string calldata name)
        external
        returns (uint32 pool)
    {
        if (deposit < minimumDeposit) revert BondTooSmall(deposit, minimumDeposit);
        if (deposit > type(uint96).max) revert OutOfBounds(deposit, type(uint96).max);
        if (bytes(name).length > NAME_BYTES_MAX) revert OutOfBounds(bytes(name).length, NAME_BYTES_MAX);
        if (shareBps > SHARE_MAX_BPS) revert OutOfBounds(shareBps, SHARE_MAX_BPS);
        pool = ++pools;
        if (pool > POOL_MAX) revert OutOfBounds(pool, POOL_MAX);
        _pools[pool] = PoolWords.pack(msg.sender, shareBps, invitation);
        _setCoordinator(pool, coordinator);
        // The amount fits: checked above.
        _details[pool].deposit = uint96(deposit);
        emit PoolCreated(pool, msg.sender, coordinator, shareBps, invitation, name);
        emit PoolDeposit(pool, deposit);
        vault.take(uint160(msg.sender), deposit);
    }

    /// @inheritdoc IWorkforce
    function setEndpoint(uint32 pool, string calldata url) external onlyPoolOwner(pool) {
        if (bytes(url).length > URL_BYTES_MAX) revert OutOfBounds(bytes(url).length, URL_BYTES_MAX);
        endpointOf[pool] = url;
        emit PoolEndpoint(pool, url);
    }

    /// @inheritdoc IWorkforce
    function setPool(uint32 pool, address coordinator, uint16 shareBps, bool invitation) external onlyPoolOwner(pool) {
        if (shareBps > SHARE_MAX_BPS) revert OutOfBounds(shareBps, SHARE_MAX_BPS);
        _pools[pool] = _pools[pool].withRules(shareBps, invitation);
        _setCoordinator(pool, coordinator);
        emit PoolChanged(pool, coordinator, shareBps, invitation);
    }

    /// @inheritdoc IWorkforce
    function transferPool(uint32 pool, address to) external onlyPoolOwner(pool) {
        if (to == address(0)) revert NotAllowed(to);
        _pools[pool] = _pools[pool].withOwner(to);
        emit PoolTransferred(pool, msg.sender, to);
        emit PoolNonceBumped(pool, uint32(_pools[pool].nonce()));
    }

    /// @inheritdoc IWorkforce
    function bumpPoolNonce(uint32 pool) external onlyPoolOwner(pool) {
        _pools[pool] = _pools[pool].withNextNonce();
        emit PoolNonceBumped(pool, uint32(_pools[pool].nonce()));
    }

    /// @inheritdoc IWorkforce
    function invite(uint32 pool, address operator, bool allowed) external onlyPoolOwner(pool) {
        invited[pool][operator] = allowed;
        emit Invited(pool, operator, allowed);
    }

    /// @inheritdoc IWorkforce
    function addPoolDeposit(uint32 pool, uint256 amount) external {
        if (_pools[pool].owner() == address(0)) revert UnknownPool(pool);
        uint256 deposit = _details[pool].deposit + amount;
        if (deposit > type(uint96).max) revert OutOfBounds(deposit, type(uint96).max);
        _details[pool].deposit = uint96(deposit);
        emit PoolDeposit(pool, deposit);
        vault.take(uint160(msg.sender), amount);
    }

    /// @inheritdoc IWorkforce
    function closePool(uint32 pool) external onlyPoolOwner(pool) {
        PoolDetails storage details = _details[pool];
        uint256 closesAt = details.closesAt;
        if (closesAt == 0) {
            details.closesAt = uint64(block.timestamp + WorkerWords.UNBONDING);
            _pools[pool] = _pools[pool].withClosing();
            emit PoolClosing(pool, details.closesAt);
            return;
        }
        if (block.timestamp < closesAt) revert StillBonded(msg.sender, closesAt);
        uint256 deposit = details.deposit;
        details.deposit = 0;
        emit PoolDeposit(pool, 0);
        vault.give(uint160(msg.sender), deposit);
    }

    /// @inheritdoc IWorkforce
    function collectPoolFees(uint32 pool) external onlyPoolOwner(pool) returns (uint256 amount) {
        return vault.collect(Accounts.ofPool(pool), msg.sender);
    }

    /// @inheritdoc IWorkforce
    function poolOf(uint256 pool) external view returns (PoolWord) {
        return _pools[pool];
    }

    /// @inheritdoc IWorkforce
    function poolDetails(uint32 pool) external view returns (address coordinator, uint96 deposit, uint64 closesAt) {
        PoolDetails storage details = _details[pool];
        return (details.coordinator, details.deposit, details.closesAt);
    }

    /// @dev Takes a pool's deposit for its coordinator's fault and answers it. The pool takes no deals any more.
    function _slashPool(address coordinator) internal returns (uint32 pool, uint256 deposit) {
        pool = poolOfCoordinator[coordinator];
        deposit = _details[pool].deposit;
        if (deposit == 0) revert UnknownPool(pool);
        _details[pool].deposit = 0;
        _pools[pool] = _pools[pool].withClosing();
        emit PoolDeposit(pool, 0);
    }

    /// @dev A coordinator's key serves one pool for life: changing it does not shake off what it signed.
    function _setCoordinator(uint32 pool, address coordinator) private {
        if (coordinator == address(0)) revert NotAllowed(coordinator);
        uint32 served = poolOfCoordinator[coordinator];
        if (served != 0 && served != pool) revert CoordinatorTaken(coordinator, served);
        poolOfCoordinator[coordinator] = pool;
        _details[pool].coordinator = coordinator;
    }
}
