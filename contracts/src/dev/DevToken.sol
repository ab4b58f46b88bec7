// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @title A token for development
/// @notice ERC-20 with permit, 18 decimals, minted by whoever deployed it. Networks with value use a token of their own.
contract DevToken is ERC20 {
    /// @notice Thrown when somebody else than the minter mints.
    error NotMinter(address caller);

    /// @notice Who may mint.
    address public immutable minter;

    constructor() {
        minter = msg.sender;
    }

    /// @notice Makes `amount` for `to`.
    function mint(address to, uint256 amount) external {
        if (msg.sender != minter) revert NotMinter(msg.sender);
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function name() public pure override returns (string memory) {
        return "Guildhall development token";
    }

    /// @inheritdoc ERC20
    function symbol() public pure override returns (string memory) {
        return "DEV";
    }
}
