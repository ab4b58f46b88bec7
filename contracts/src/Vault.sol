// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {Owned} from "./Owned.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Accounts} from "./libraries/Accounts.sol";

/// @title Vault
/// @notice The one ledger: see {IVault}.
/// @dev Knows accounts, not deals or workers. The token's code runs in {deposit}, {withdraw} and {pull} only, so nothing
/// foreign can block a settlement; an account that the token refuses to pay blocks its own withdrawal only.
contract Vault is IVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @inheritdoc IVault
    address public immutable token;
    /// @notice May lock funds.
    address public immutable market;
    /// @notice May move bonds and gathered fees.
    address public immutable workforce;
    /// @notice May pay out of locks and escrow, and tips.
    address public immutable certifier;
    /// @notice May pay out of escrow.
    address public immutable recourse;
    /// @notice May take bonds of disputes, draw the protocol's fees for audits, pay out of escrow; zero = no Court.
    address public immutable court;
    /// @notice May take bonds of inquests, pay out of escrow; zero = no Inquest.
    address private immutable _inquest;

    /// @dev account => balance 128 (low) | of an address its order nonce, of a pool the protocol's fees, 128 (high).
    mapping(uint160 account => uint256 word) private _accounts;

    constructor(
        address token_,
        address market_,
        address workforce_,
        address certifier_,
        address recourse_,
        address court_,
        address inquest_
    ) {
        token = token_;
        market = market_;
        workforce = workforce_;
        certifier = certifier_;
        recourse = recourse_;
        court = court_;
        _inquest = inquest_;
    }

    modifier only(address caller) {
        if (msg.sender != caller) revert NotAllowed(msg.sender);
        _;
    }

    /// @inheritdoc IVault
    function deposit(address account, uint256 amount) external nonReentrant {
        if (account == address(0)) revert ZeroAddress();
        _receive(msg.sender, uint160(account), amount);
    }

    /// @inheritdoc IVault
    function withdraw(uint256 amount, address to) external nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        _debit(uint160(msg.sender), amount);
        emit Withdrawn(uint160(msg.sender), to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @inheritdoc IVault
    function collectProtocolFees(uint256[] calldata pools, address to) external only(Owned(market).owner()) {
        if (to == address(0)) revert ZeroAddress();
        uint256 total;
        for (uint256 i; i < pools.length; ++i) {
            uint160 account = Accounts.ofPool(pools[i]);
            uint256 word = _accounts[account];
            total += word >> 128;
            _accounts[account] = uint128(word);
        }
        _credit(uint160(to), total);
        emit Collected(Accounts.PROTOCOL, uint160(to), total);
    }

    /// @inheritdoc IVault
    function lock(address payer, uint256 amount) external returns (uint256 nonce) {
        if (msg.sender != market && msg.sender != court && msg.sender != _inquest) revert NotAllowed(msg.sender);
        return _debit(uint160(payer), amount);
    }

    /// @inheritdoc IVault
    function pull(address owner, uint256 amount, Permit calldata permit) external only(market) nonReentrant {
        uint256 balance = balanceOf(uint160(owner));
        if (balance >= amount) return;
        // Somebody may have used the permit already: what counts is the allowance that it left behind.
        try IERC20Permit(token)
            .permit(owner, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s) {}
            catch {}
        _receive(owner, uint160(owner), amount - balance);
    }

    /// @inheritdoc IVault
    function bumpNonce(address requester) external only(market) returns (uint256 nonce) {
        uint256 word = _accounts[uint160(requester)] + (1 << 128);
        _accounts[uint160(requester)] = word;
        nonce = word >> 128;
        emit NonceBumped(requester, nonce);
    }

    /// @inheritdoc IVault
    function pay(uint256[] calldata payments, uint256 pool, uint256 fees) external {
        if (msg.sender != certifier && msg.sender != recourse && msg.sender != court && msg.sender != _inquest) {
            revert NotAllowed(msg.sender);
        }
        // Amounts are below 2^96 and fees below 2^96 each: 2^32 payments could not overflow a balance of 128 bits.
        unchecked {
            for (uint256 i; i < payments.length; ++i) {
                uint256 payment;
                assembly ("memory-safe") {
                    payment := calldataload(add(payments.offset, shl(5, i)))
                }
                _accounts[uint160(payment >> 96)] += uint96(payment);
            }
            if (pool != 0) _accounts[Accounts.ofPool(pool)] += fees;
        }
    }

    /// @inheritdoc IVault
    function tip(address requester, address to, uint256 amount) external only(certifier) returns (bool paid) {
        if (balanceOf(uint160(requester)) < amount) return false;
        _debit(uint160(requester), amount);
        _credit(uint160(to), amount);
        return true;
    }

    /// @inheritdoc IVault
    function take(uint160 account, uint256 amount) external only(workforce) {
        _debit(account, amount);
        emit Taken(account, amount);
    }

    /// @inheritdoc IVault
    function drawFees(uint256 pool, uint256 most) external only(court) returns (uint256 amount) {
        uint160 account = Accounts.ofPool(pool);
        uint256 word = _accounts[account];
        amount = word >> 128;
        if (amount > most) amount = most;
        _accounts[account] = word - (amount << 128);
        emit FeesDrawn(pool, amount);
    }

    /// @inheritdoc IVault
    function give(uint160 account, uint256 amount) external only(workforce) {
        _credit(account, amount);
        emit Given(account, amount);
    }

    /// @inheritdoc IVault
    function collect(uint160 from, address to) external only(workforce) returns (uint256 amount) {
        amount = balanceOf(from);
        _debit(from, amount);
        _credit(uint160(to), amount);
        emit Collected(from, uint160(to), amount);
    }

    /// @inheritdoc IVault
    function nonceOf(address requester) external view returns (uint256) {
        return _accounts[uint160(requester)] >> 128;
    }

    /// @inheritdoc IVault
    function protocolFeesOf(uint256 pool) external view returns (uint256) {
        return _accounts[Accounts.ofPool(pool)] >> 128;
    }

    /// @inheritdoc IVault
    function balanceOf(uint160 account) public view returns (uint256) {
        return uint128(_accounts[account]);
    }

    /// @dev Takes tokens in and credits what was asked, or refuses the token.
    function _receive(address from, uint160 account, uint256 amount) private {
        if (amount > type(uint96).max) revert AmountTooLarge(amount);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert TokenChargesOnTransfer(amount, received);
        _credit(account, amount);
        emit Deposited(from, account, amount);
    }

    /// @dev Adds to a balance; balances fit 128 bits because every amount fits 96.
    function _credit(uint160 account, uint256 amount) private {
        uint256 word = _accounts[account];
        if (uint128(word) + amount > type(uint128).max) revert AmountTooLarge(amount);
        _accounts[account] = word + amount;
    }

    /// @dev Takes from a balance and answers the upper half of the word.
    function _debit(uint160 account, uint256 amount) private returns (uint256 upper) {
        uint256 word = _accounts[account];
        if (uint128(word) < amount) revert BalanceTooLow(account, uint128(word), amount);
        unchecked {
            _accounts[account] = word - amount;
        }
        return word >> 128;
    }
}
