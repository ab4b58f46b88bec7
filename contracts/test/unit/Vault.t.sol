// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {City} from "../support/City.sol";
import {vm} from "../support/Vm.sol";

contract VaultTest is City {
    function setUp() public {
        _buildCity(0);
        token.mint(requester, 10e18);
    }

    function test_deposit_whenTheAccountIsZero_itReverts() public {
        vm.prank(requester);
        vm.expectRevert(IVault.ZeroAddress.selector);
        vault.deposit(address(0), 1);
    }

    function test_deposit_whenTheAmountDoesNotFit_itReverts() public {
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IVault.AmountTooLarge.selector, uint256(1) << 96));
        vault.deposit(requester, uint256(1) << 96);
    }

    function test_deposit_givenTheMostThatFits_itCredits() public {
        token.mint(requester, type(uint96).max);
        vm.prank(requester);
        vault.deposit(stranger, type(uint96).max);
        vm.assertEq(_balance(stranger), type(uint96).max);
    }

    function test_deposit_forSomebodyElse_itCreditsThem() public {
        vm.expectEmit(address(vault));
        emit IVault.Deposited(requester, uint160(stranger), 3e18);
        vm.prank(requester);
        vault.deposit(stranger, 3e18);
        vm.assertEq(_balance(stranger), 3e18);
        vm.assertEq(_balance(requester), RICHES);
    }

    function test_withdraw_givenEnough_itPaysOut() public {
        uint256 before = token.balanceOf(stranger);
        vm.expectEmit(address(vault));
        emit IVault.Withdrawn(uint160(requester), stranger, RICHES);
        vm.prank(requester);
        vault.withdraw(RICHES, stranger);
        vm.assertEq(token.balanceOf(stranger) - before, RICHES);
        vm.assertEq(_balance(requester), 0);
    }

    function test_withdraw_givenTooLittle_itReverts() public {
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IVault.BalanceTooLow.selector, uint160(requester), RICHES, RICHES + 1));
        vault.withdraw(RICHES + 1, requester);
    }

    function test_withdraw_toNobody_itReverts() public {
        vm.prank(requester);
        vm.expectRevert(IVault.ZeroAddress.selector);
        vault.withdraw(1, address(0));
    }

    function test_withdraw_itLeavesTheNonceAlone() public {
        vm.expectEmit(address(vault));
        emit IVault.NonceBumped(requester, 1);
        vm.prank(requester);
        market.cancelAllRequests();
        vm.prank(requester);
        vault.withdraw(RICHES, requester);
        vm.assertEq(vault.nonceOf(requester), 1);
    }

    function test_protectedFunctions_whenOthersCall_itReverts() public {
        IVault.Permit memory permit;
        uint256[] memory none;
        vm.startPrank(stranger);
        bytes memory notAllowed = abi.encodeWithSelector(IVault.NotAllowed.selector, stranger);
        vm.expectRevert(notAllowed);
        vault.lock(requester, 1);
        vm.expectRevert(notAllowed);
        vault.pull(requester, 1, permit);
        vm.expectRevert(notAllowed);
        vault.bumpNonce(requester);
        vm.expectRevert(notAllowed);
        vault.pay(none, 0, 0);
        vm.expectRevert(notAllowed);
        vault.tip(requester, stranger, 1);
        vm.expectRevert(notAllowed);
        vault.take(uint160(requester), 1);
        vm.expectRevert(notAllowed);
        vault.give(uint160(stranger), 1);
        vm.expectRevert(notAllowed);
        vault.collect(Accounts.BURNT, stranger);
        vm.expectRevert(notAllowed);
        vault.collectProtocolFees(none, stranger);
        vm.expectRevert(notAllowed);
        vault.drawFees(pool, 1);
        vm.stopPrank();
    }

    function test_pay_givenCertifierRecourseOrCourt_itCredits() public {
        address[3] memory allowed = [address(certifier), address(recourse), address(court)];
        uint256[] memory payments = new uint256[](1);
        payments[0] = Accounts.payment(uint160(stranger), 5);
        for (uint256 i; i < 3; ++i) {
            vm.prank(allowed[i]);
            vault.pay(payments, 0, 0);
        }
        vm.assertEq(_balance(stranger), 15);
    }

    function test_tip_byAnyContractButTheCertifier_itReverts() public {
        address[4] memory others = [address(market), address(workforce), address(recourse), address(court)];
        for (uint256 i; i < 4; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IVault.NotAllowed.selector, others[i]));
            vault.tip(requester, stranger, 1);
        }
    }

    function test_tip_givenTheBalance_itMovesItWholeOrNotAtAll() public {
        vm.prank(requester);
        market.cancelAllRequests();
        vm.startPrank(address(certifier));
        vm.assertFalse(vault.tip(requester, stranger, RICHES + 1));
        vm.assertEq(_balance(requester), RICHES);
        vm.assertEq(_balance(stranger), 0);
        vm.assertTrue(vault.tip(requester, requester, RICHES));
        vm.assertEq(_balance(requester), RICHES);
        vm.assertTrue(vault.tip(requester, stranger, RICHES));
        vm.stopPrank();
        vm.assertEq(_balance(requester), 0);
        vm.assertEq(_balance(stranger), RICHES);
        // The nonce lies beside the balance.
        vm.assertEq(vault.nonceOf(requester), 1);
    }

    function test_collectProtocolFees_itTakesTheProtocolsPartOnly() public {
        uint256[] memory none = new uint256[](0);
        vm.prank(address(certifier));
        vault.pay(none, pool, 7 | uint256(9) << 128);
        vm.assertEq(vault.protocolFeesOf(pool), 9);
        uint256[] memory pools = new uint256[](2);
        // The same pool twice pays once.
        (pools[0], pools[1]) = (pool, pool);
        vm.expectEmit(address(vault));
        emit IVault.Collected(Accounts.PROTOCOL, uint160(protocolOwner), 9);
        vm.prank(protocolOwner);
        vault.collectProtocolFees(pools, protocolOwner);
        vm.assertEq(_balance(protocolOwner), 9);
        vm.assertEq(vault.protocolFeesOf(pool), 0);
        vm.assertEq(vault.balanceOf(Accounts.ofPool(pool)), 7);
    }

    function test_drawFees_itTakesWhatIsThereAndNoMoreThanIsAsked() public {
        uint256[] memory none = new uint256[](0);
        vm.prank(address(certifier));
        vault.pay(none, pool, 7 | uint256(9) << 128);
        vm.startPrank(address(court));
        vm.expectEmit(address(vault));
        emit IVault.FeesDrawn(pool, 4);
        vm.assertEq(vault.drawFees(pool, 4), 4);
        vm.assertEq(vault.drawFees(pool, 6), 5);
        vm.stopPrank();
        vm.assertEq(vault.protocolFeesOf(pool), 0);
        vm.assertEq(vault.balanceOf(Accounts.ofPool(pool)), 7);
    }

    function test_takeAndGive_itMovesWhatWasAskedAndNoMoreThanThereIs() public {
        vm.startPrank(address(workforce));
        vm.expectEmit(address(vault));
        emit IVault.Taken(uint160(requester), 3);
        vault.take(uint160(requester), 3);
        vm.expectEmit(address(vault));
        emit IVault.Given(uint160(stranger), 2);
        vault.give(uint160(stranger), 2);
        vm.expectRevert(abi.encodeWithSelector(IVault.BalanceTooLow.selector, uint160(stranger), 2, 3));
        vault.take(uint160(stranger), 3);
        vm.stopPrank();
        vm.assertEq(_balance(requester), RICHES - 3);
        vm.assertEq(_balance(stranger), 2);
    }

    function test_give_givenABalanceThatWouldNotFit_itReverts() public {
        vm.startPrank(address(workforce));
        vault.give(uint160(stranger), type(uint128).max);
        vm.expectRevert(abi.encodeWithSelector(IVault.AmountTooLarge.selector, 1));
        vault.give(uint160(stranger), 1);
        vm.stopPrank();
        vm.assertEq(vault.nonceOf(stranger), 0);
    }

    function test_collect_itMovesAllOfAnAccount() public {
        vm.startPrank(address(workforce));
        vault.give(Accounts.ofPool(pool), 6);
        vm.expectEmit(address(vault));
        emit IVault.Collected(Accounts.ofPool(pool), uint160(stranger), 6);
        vm.assertEq(vault.collect(Accounts.ofPool(pool), stranger), 6);
        vm.stopPrank();
        vm.assertEq(vault.balanceOf(Accounts.ofPool(pool)), 0);
        vm.assertEq(_balance(stranger), 6);
    }

    /// @dev The permit is not even shown to the token.
    function test_pull_givenTheBalance_itDepositsNothing() public {
        IVault.Permit memory permit;
        vm.recordLogs();
        vm.startPrank(address(market));
        vault.pull(requester, RICHES, permit);
        vault.pull(requester, RICHES - 1, permit);
        vm.stopPrank();
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.assertEq(_balance(requester), RICHES);
    }

    function test_collectProtocolFees_toNobody_itReverts() public {
        uint256[] memory none = new uint256[](0);
        vm.prank(protocolOwner);
        vm.expectRevert(IVault.ZeroAddress.selector);
        vault.collectProtocolFees(none, address(0));
    }
}
