// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Accounts of the Vault
/// @notice An account is a number of 160 bits: an address, or one of these, which no address can reach (a key whose
/// address has 92 leading zero bits would take 2^92 tries).
library Accounts {
    /// @dev Slashed stake that nobody gets: no function moves it.
    uint160 internal constant BURNT = 3 << 64;
    /// @dev The protocol's fees.
    uint160 internal constant PROTOCOL = 4 << 64;

    /// @notice Where an operator's fees gather.
    function ofOperator(uint256 operator) internal pure returns (uint160) {
        return uint160(1 << 64 | operator);
    }

    /// @notice Where a pool's shares and the protocol's fees from its deals gather.
    function ofPool(uint256 pool) internal pure returns (uint160) {
        return uint160(2 << 64 | pool);
    }

    /// @notice One payment in a word: account 160 (high) | amount 96.
    function payment(uint160 account, uint256 amount) internal pure returns (uint256) {
        return uint256(account) << 96 | amount;
    }
}
