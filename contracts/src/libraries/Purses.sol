// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Accounts} from "./Accounts.sol";
import {Payouts} from "./Payouts.sol";

/// @notice What a verdict has to give, and to whom it gave.
/// @param payments As {IVault-pay} takes them; the first `count` are there.
/// @param pot What lost bonds and stake left after the burnt fifth.
/// @param fund What the protocol gave for an audit's jury.
struct Purse {
    uint256[] payments;
    uint256 count;
    uint256 pot;
    uint256 fund;
}

/// @title Purses
/// @notice Splits what a verdict has to give, to the last unit: whatever goes into a purse is in its payments, its pot or
/// its fund.
library Purses {
    /// @dev A payment's amount has 96 bits; a larger sum goes in pieces.
    uint256 private constant AMOUNT_MAX = type(uint96).max;
    /// @dev Pieces that any sum here fits: 128 bits of a bond would be more tokens than a balance holds.
    uint256 private constant PIECES = 8;

    /// @notice An empty purse for `most` accounts.
    function open(uint256 most) internal pure returns (Purse memory purse) {
        purse.payments = new uint256[](most + PIECES);
    }

    /// @notice Gives `amount` that is not of the pot.
    function give(Purse memory purse, uint160 account, uint256 amount) internal pure {
        while (amount > AMOUNT_MAX) {
            purse.payments[purse.count++] = Accounts.payment(account, AMOUNT_MAX);
            amount -= AMOUNT_MAX;
        }
        if (amount != 0) purse.payments[purse.count++] = Accounts.payment(account, amount);
    }

    /// @notice Gives up to `amount` of the pot; answers how much.
    function giveOfPot(Purse memory purse, uint160 account, uint256 amount) internal pure returns (uint256 given) {
        given = amount < purse.pot ? amount : purse.pot;
        purse.pot -= given;
        give(purse, account, given);
    }

    /// @notice Puts slashed stake into the pot, less the fifth that nobody gets.
    function addSlashed(Purse memory purse, uint256 slashed) internal pure {
        uint256 burnt = Payouts.burnOf(slashed);
        purse.pot += slashed - burnt;
        give(purse, Accounts.BURNT, burnt);
    }

    /// @notice Takes what each of `count` gets of `fee` at most, first from the fund, then from the pot; rounded down, what does not
    /// divide stays.
    function takeEach(Purse memory purse, uint256 fee, uint256 count) internal pure returns (uint256 each) {
        if (count == 0) return 0;
        each = (purse.fund + purse.pot) / count;
        if (each > fee) each = fee;
        uint256 ofFund = each * count < purse.fund ? each * count : purse.fund;
        purse.fund -= ofFund;
        purse.pot -= each * count - ofFund;
    }

    /// @notice The payments made so far, for {IVault-pay}.
    function close(Purse memory purse) internal pure returns (uint256[] memory payments) {
        payments = purse.payments;
        uint256 count = purse.count;
        assembly ("memory-safe") {
            mstore(payments, count)
        }
    }
}
