// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A contract with an owner
/// @notice Two-step ownership; what the owner may do is listed in `docs/contracts.md`.
abstract contract Owned {
    /// @notice Emitted when ownership is offered to `to`.
    event OwnershipOffered(address indexed from, address indexed to);
    /// @notice Emitted when ownership moves.
    event OwnershipMoved(address indexed from, address indexed to);

    /// @notice Thrown when somebody else than the (coming) owner calls.
    error NotOwner(address caller);

    /// @notice The owner; zero = nobody, for ever.
    address public owner;
    /// @notice Who may take ownership.
    address public pendingOwner;

    constructor(address owner_) {
        owner = owner_;
        emit OwnershipMoved(address(0), owner_);
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    /// @notice Offers ownership; `to` accepts it.
    function offerOwnership(address to) external onlyOwner {
        pendingOwner = to;
        emit OwnershipOffered(owner, to);
    }

    /// @notice Takes the ownership that was offered.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotOwner(msg.sender);
        emit OwnershipMoved(owner, msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
    }

    /// @notice Gives ownership up: the parameters stay as they are for ever.
    function renounceOwnership() external onlyOwner {
        emit OwnershipMoved(owner, address(0));
        owner = address(0);
        pendingOwner = address(0);
    }
}
