// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The one ledger
/// @notice Holds every token of the protocol. An account is a number of 160 bits: an address, or one of {Accounts}.
/// @dev Tokens held = balances + locks of open deals + bonds + stake in escrow. Only balances are written here: what is
/// locked, bonded or in escrow follows from deals, workers and certificates, and comes back through {pay} or {give}.
interface IVault {
    /// @notice A permit (ERC-2612) that comes along with a match; tried, never required.
    struct Permit {
        uint256 value;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice Emitted when `from` pays tokens in for `account`.
    event Deposited(address indexed from, uint160 indexed account, uint256 amount);
    /// @notice Emitted when tokens leave an account for `to`.
    event Withdrawn(uint160 indexed account, address indexed to, uint256 amount);
    /// @notice Emitted when funds move into bonds or deposits.
    event Taken(uint160 indexed account, uint256 amount);
    /// @notice Emitted when funds come back from bonds or deposits.
    event Given(uint160 indexed account, uint256 amount);
    /// @notice Emitted when fees that gathered in `from` become spendable by `to`.
    event Collected(uint160 indexed from, uint160 indexed to, uint256 amount);
    /// @notice Emitted when an audit's jury is paid from the protocol's part of a pool's fees.
    event FeesDrawn(uint256 indexed pool, uint256 amount);
    /// @notice Emitted when a requester kills all orders that it signed before.
    event NonceBumped(address indexed requester, uint256 nonce);

    /// @notice Thrown when a caller is not the contract or account that the function belongs to.
    error NotAllowed(address caller);
    /// @notice Thrown when an account holds less than is asked for. Remedy: deposit the difference.
    error BalanceTooLow(uint160 account, uint256 balance, uint256 needed);
    /// @notice Thrown when the token moved another amount than asked: tokens that charge on transfer are refused.
    error TokenChargesOnTransfer(uint256 asked, uint256 received);
    /// @notice Thrown when an amount does not fit its field.
    error AmountTooLarge(uint256 amount);
    /// @notice Thrown when tokens would be sent to nobody.
    error ZeroAddress();

    /// @notice The token of all amounts.
    function token() external view returns (address);

    /// @notice Spendable balance of an account.
    function balanceOf(uint160 account) external view returns (uint256);

    /// @notice The requester's order nonce.
    function nonceOf(address requester) external view returns (uint256);

    /// @notice The protocol's fees that gathered beside a pool's share.
    function protocolFeesOf(uint256 pool) external view returns (uint256);

    /// @notice Pays `amount` of the caller's tokens in for `account`. The caller has approved this contract.
    function deposit(address account, uint256 amount) external;

    /// @notice Pays `amount` of the caller's balance out to `to`.
    function withdraw(uint256 amount, address to) external;

    /// @notice Moves the protocol's part of these pools' fees to `to`'s balance. Caller: the protocol's owner.
    function collectProtocolFees(uint256[] calldata pools, address to) external;

    /// @notice Market, Court, Inquest: locks `amount` of `payer` for a deal or a case and answers `payer`'s nonce.
    function lock(address payer, uint256 amount) external returns (uint256 nonce);

    /// @notice Market: pays in what `owner` lacks to have `amount`, from its tokens, by permit or by an earlier approval.
    function pull(address owner, uint256 amount, Permit calldata permit) external;

    /// @notice Market: kills the requester's orders.
    function bumpNonce(address requester) external returns (uint256 nonce);

    /// @notice Certifier, Recourse, Court, Inquest: pays out of a deal's lock or of escrow.
    /// @param payments Account 160 (high) | amount 96.
    /// @param pool Whose account gets `fees`; 0 = none.
    /// @param fees Pool's part 128 (low) | protocol's part 128.
    function pay(uint256[] calldata payments, uint256 pool, uint256 fees) external;

    /// @notice Certifier: moves a delivery's tip from the balance of the requester, who signed for it, to `to`'s.
    /// @return paid Whether the requester had `amount`; if not, nothing moved.
    function tip(address requester, address to, uint256 amount) external returns (bool paid);

    /// @notice Workforce: takes `amount` of an account into a bond or deposit.
    function take(uint160 account, uint256 amount) external;

    /// @notice Court: takes up to `most` of the protocol's fees that gathered beside a pool's share, for an audit's jury. What it
    /// does not need comes back through {pay}.
    function drawFees(uint256 pool, uint256 most) external returns (uint256 amount);

    /// @notice Workforce: gives `amount` of a bond or deposit to an account.
    function give(uint160 account, uint256 amount) external;

    /// @notice Workforce: moves all that gathered in `from` to `to`.
    function collect(uint160 from, address to) external returns (uint256 amount);
}
