// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Accounts} from "../../src/libraries/Accounts.sol";
import {Purse, Purses} from "../../src/libraries/Purses.sol";
import {Test, bound, vm} from "../support/Vm.sol";

/// @title What a verdict has to give is given, to the last unit
contract PursesFuzz is Test {
    using Purses for Purse;

    /// @dev Sum of the payments, and of what is left.
    function _sumOf(Purse memory purse) private pure returns (uint256 sum) {
        for (uint256 i; i < purse.count; ++i) {
            sum += uint96(purse.payments[i]);
        }
        return sum + purse.pot + purse.fund;
    }

    function testFuzz_purse_conserves(uint256 slashed, uint256 bond, uint256 fund, uint256 fee, uint256 jurors)
        public
        pure
    {
        slashed = bound(slashed, 0, 2 ** 97);
        bond = bound(bond, 0, 2 ** 97);
        fund = bound(fund, 0, 2 ** 90);
        jurors = bound(jurors, 0, 64);
        fee = bound(fee, 0, 2 ** 96 - 1);
        Purse memory purse = Purses.open(jurors + 3);
        purse.addSlashed(slashed);
        purse.pot += bond;
        purse.fund = fund;
        uint256 all = slashed + bond + fund;
        vm.assertEq(_sumOf(purse), all);
        uint256 each = purse.takeEach(fee, jurors);
        vm.assertLe(each, fee);
        for (uint256 i; i < jurors; ++i) {
            purse.give(Accounts.ofOperator(i + 1), each);
        }
        vm.assertEq(_sumOf(purse), all);
        // Nobody got less than the fee unless all was given, but for what does not divide.
        if (jurors != 0 && each < fee) vm.assertLt(purse.pot + purse.fund, jurors);
        purse.giveOfPot(uint160(0xa), bond);
        purse.giveOfPot(uint160(0xb), purse.pot);
        vm.assertEq(purse.pot, 0);
        vm.assertEq(_sumOf(purse), all);
        vm.assertEq(purse.close().length, purse.count);
    }

    function testFuzz_purse_aFifthOfSlashesIsBurnt(uint256 slashed) public pure {
        slashed = bound(slashed, 1, 2 ** 96 - 1);
        Purse memory purse = Purses.open(1);
        purse.addSlashed(slashed);
        vm.assertEq(uint96(purse.payments[0]), (slashed + 4) / 5);
        vm.assertEq(purse.payments[0] >> 96, Accounts.BURNT);
    }
}
