// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../../src/interfaces/IVault.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {WorkerWords} from "../../src/libraries/WorkerWords.sol";
import {MemberWord} from "../../src/types/Workers.sol";
import {City} from "../support/City.sol";
import {vm} from "../support/Vm.sol";

contract PoolsTest is City {
    function setUp() public {
        _buildCity(0);
    }

    function _notAllowed(address caller) private {
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.NotAllowed.selector, caller));
    }

    function test_createPool_itTakesTheDeposit() public {
        uint256 before = _balance(poolOwner);
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolCreated(pool + 1, poolOwner, address(0xc0), 500, true, "second");
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolDeposit(pool + 1, 60e18);
        vm.prank(poolOwner);
        uint32 id = workforce.createPool(address(0xc0), 500, true, 60e18, "second");
        vm.assertEq(before - _balance(poolOwner), 60e18);
        (address key, uint96 deposit, uint64 closesAt) = workforce.poolDetails(id);
        vm.assertEq(key, address(0xc0));
        vm.assertEq(deposit, 60e18);
        vm.assertEq(closesAt, 0);
        vm.assertEq(workforce.poolOf(id).shareBps(), 500);
        vm.assertTrue(workforce.poolOf(id).invitation());
    }

    function test_createPool_whenTheDepositIsTooSmall_itReverts() public {
        vm.prank(poolOwner);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.BondTooSmall.selector, MINIMUM_DEPOSIT - 1, MINIMUM_DEPOSIT));
        workforce.createPool(address(0xc0), 0, false, MINIMUM_DEPOSIT - 1, "poor");
    }

    function test_createPool_whenTheShareIsAboveAHalf_itReverts() public {
        vm.prank(poolOwner);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.OutOfBounds.selector, 5001, 5000));
        workforce.createPool(address(0xc0), 5001, false, MINIMUM_DEPOSIT, "greedy");
    }

    function test_createPool_whenTheNameIsTooLong_itReverts() public {
        vm.startPrank(poolOwner);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.OutOfBounds.selector, 129, 128));
        workforce.createPool(address(0xc0), 0, false, MINIMUM_DEPOSIT, string(new bytes(129)));
        workforce.createPool(address(0xc0), 5000, false, MINIMUM_DEPOSIT, string(new bytes(128)));
        vm.stopPrank();
    }

    function test_setPool_whenTheShareIsAboveAHalf_itReverts() public {
        vm.startPrank(poolOwner);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.OutOfBounds.selector, 5001, 5000));
        workforce.setPool(pool, coordinator, 5001, false);
        workforce.setPool(pool, coordinator, 5000, false);
        vm.stopPrank();
        vm.assertEq(workforce.poolOf(pool).shareBps(), 5000);
    }

    function test_createPool_givenACoordinatorOfAnotherPool_itReverts() public {
        vm.prank(poolOwner);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.CoordinatorTaken.selector, coordinator, pool));
        workforce.createPool(coordinator, 0, false, MINIMUM_DEPOSIT, "again");
    }

    function test_createPool_withoutCoordinator_itReverts() public {
        vm.prank(poolOwner);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.NotAllowed.selector, address(0)));
        workforce.createPool(address(0), 0, false, MINIMUM_DEPOSIT, "nobody");
    }

    function test_ownersFunctions_whenOthersCall_itReverts() public {
        _notAllowed(stranger);
        workforce.setPool(pool, coordinator, 0, false);
        _notAllowed(stranger);
        workforce.setEndpoint(pool, "http://x");
        _notAllowed(stranger);
        workforce.transferPool(pool, stranger);
        _notAllowed(stranger);
        workforce.bumpPoolNonce(pool);
        _notAllowed(stranger);
        workforce.invite(pool, stranger, true);
        _notAllowed(stranger);
        workforce.closePool(pool);
        _notAllowed(stranger);
        workforce.collectPoolFees(pool);
    }

    function test_setEndpoint_itIsBounded() public {
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolEndpoint(pool, "https://pool.example");
        vm.startPrank(poolOwner);
        workforce.setEndpoint(pool, "https://pool.example");
        vm.assertEq(workforce.endpointOf(pool), "https://pool.example");
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.OutOfBounds.selector, 257, 256));
        workforce.setEndpoint(pool, string(new bytes(257)));
        vm.stopPrank();
    }

    function test_transferPool_itMovesOwnershipAndKillsOrders() public {
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolTransferred(pool, poolOwner, stranger);
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolNonceBumped(pool, 1);
        vm.prank(poolOwner);
        workforce.transferPool(pool, stranger);
        vm.assertEq(workforce.poolOf(pool).owner(), stranger);
        vm.assertEq(workforce.poolOf(pool).nonce(), 1);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.NotAllowed.selector, address(0)));
        workforce.transferPool(pool, address(0));
    }

    function test_closePool_itPaysBackAfterTheUnbonding() public {
        uint256 closesAt = block.timestamp + 7 days;
        vm.startPrank(poolOwner);
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolClosing(pool, uint64(closesAt));
        workforce.closePool(pool);
        vm.assertTrue(workforce.poolOf(pool).closing());
        vm.warp(closesAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.StillBonded.selector, poolOwner, closesAt));
        workforce.closePool(pool);
        vm.warp(closesAt);
        uint256 before = _balance(poolOwner);
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolDeposit(pool, 0);
        workforce.closePool(pool);
        vm.assertEq(_balance(poolOwner) - before, MINIMUM_DEPOSIT);
        // A second time there is nothing left.
        workforce.closePool(pool);
        vm.assertEq(_balance(poolOwner) - before, MINIMUM_DEPOSIT);
        vm.stopPrank();
    }

    function test_addPoolDeposit_givenNoSuchPool_itReverts() public {
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.UnknownPool.selector, 99));
        workforce.addPoolDeposit(99, 1);
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolDeposit(pool, MINIMUM_DEPOSIT + 1e18);
        vm.prank(requester);
        workforce.addPoolDeposit(pool, 1e18);
        (, uint96 deposit,) = workforce.poolDetails(pool);
        vm.assertEq(deposit, MINIMUM_DEPOSIT + 1e18);
    }

    function test_rulesOfAPool_itKeepsBondNonceAndClosing() public {
        _join(0, 0, BOND);
        vm.startPrank(poolOwner);
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolNonceBumped(pool, 1);
        workforce.bumpPoolNonce(pool);
        workforce.closePool(pool);
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolChanged(pool, address(0xc1), 77, true);
        workforce.setPool(pool, address(0xc1), 77, true);
        vm.stopPrank();
        vm.assertEq(workforce.poolOf(pool).bond(), BOND / UNIT);
        vm.assertEq(workforce.poolOf(pool).nonce(), 1);
        vm.assertEq(workforce.poolOf(pool).shareBps(), 77);
        vm.assertTrue(workforce.poolOf(pool).closing());
    }
}

contract WorkersTest is City {
    function setUp() public {
        _buildCity(1);
    }

    function _asOperator() private {
        vm.prank(_operator(0));
    }

    function test_join_itBondsAndCountsInThePool() public {
        uint256 poolBond = workforce.poolOf(pool).bond();
        _fund(_operator(1), BOND);
        vm.expectEmit(address(workforce));
        emit IWorkforce.OperatorRegistered(2, _operator(1));
        vm.expectEmit(address(workforce));
        emit IWorkforce.WorkerJoined(_worker(1), 2, pool, 1, BOND);
        _join(1, 1, BOND);
        vm.assertEq(_balance(_operator(1)), 0);
        vm.assertEq(_word(1).bond(), BOND / UNIT);
        vm.assertEq(_word(1).operator(), 2);
        vm.assertEq(_word(1).pool(), pool);
        vm.assertEq(_word(1).activeFrom(), block.number);
        vm.assertEq(workforce.poolOf(pool).bond() - poolBond, BOND / UNIT);
        vm.assertEq(workforce.operatorAddress(2), _operator(1));
    }

    function test_join_givenOneOperatorTwice_itKeepsItsNumber() public {
        _join(0, 5, BOND);
        vm.assertEq(_word(5).operator(), _word(0).operator());
    }

    function test_join_givenNoFunds_itReverts() public {
        bytes memory signature = _workerKeySignature(9, stranger, pool);
        vm.prank(stranger);
        vm.expectPartialRevert(IVault.BalanceTooLow.selector);
        workforce.join(_worker(9), pool, 1, BOND, signature);
    }

    function test_join_whenTheBondIsNoMultipleOfTheUnit_itReverts() public {
        bytes memory signature = _workerKeySignature(9, _operator(0), pool);
        _asOperator();
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.NotInBondUnits.selector, BOND + 1));
        workforce.join(_worker(9), pool, 1, BOND + 1, signature);
    }

    function test_join_givenNoSuchPool_itReverts() public {
        bytes memory signature = _workerKeySignature(9, _operator(0), 77);
        _asOperator();
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.UnknownPool.selector, 77));
        workforce.join(_worker(9), 77, 1, BOND, signature);
    }

    function test_join_withoutRuntime_itReverts() public {
        bytes memory signature = _workerKeySignature(9, _operator(0), pool);
        _asOperator();
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.OutOfBounds.selector, 0, 255));
        workforce.join(_worker(9), pool, 0, BOND, signature);
    }

    function test_join_givenAPoolByInvitation_itAsksForOne() public {
        vm.prank(poolOwner);
        workforce.setPool(pool, coordinator, 0, true);
        bytes memory signature = _workerKeySignature(9, _operator(0), pool);
        _asOperator();
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.NotInvited.selector, pool, _operator(0)));
        workforce.join(_worker(9), pool, 1, BOND, signature);
        vm.expectEmit(address(workforce));
        emit IWorkforce.Invited(pool, _operator(0), true);
        vm.prank(poolOwner);
        workforce.invite(pool, _operator(0), true);
        vm.assertTrue(workforce.invited(pool, _operator(0)));
        _join(0, 9, BOND);
        // Workers inside stay when the invitation goes.
        vm.prank(poolOwner);
        workforce.invite(pool, _operator(0), false);
        vm.assertEq(_word(9).pool(), pool);
    }

    function test_operatorsFunctions_whenOthersCall_itReverts() public {
        vm.startPrank(stranger);
        bytes memory notAllowed = abi.encodeWithSelector(IWorkforce.NotAllowed.selector, stranger);
        vm.expectRevert(notAllowed);
        workforce.addBond(_worker(0), UNIT);
        vm.expectRevert(notAllowed);
        workforce.move(_worker(0), pool, 1);
        vm.expectRevert(notAllowed);
        workforce.leavePool(_worker(0));
        vm.expectRevert(notAllowed);
        workforce.wake(_worker(0));
        vm.expectRevert(notAllowed);
        workforce.withdrawBond(_worker(0), UNIT);
        vm.expectRevert(notAllowed);
        workforce.collectOperatorFees();
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.UnknownWorker.selector, stranger));
        workforce.leavePool(stranger);
        vm.stopPrank();
    }

    function test_protectedFunctions_whenOthersCall_itReverts() public {
        MemberWord[] memory none;
        vm.startPrank(stranger);
        bytes memory notAllowed = abi.encodeWithSelector(IWorkforce.NotAllowed.selector, stranger);
        vm.expectRevert(notAllowed);
        workforce.settle(none);
        vm.expectRevert(notAllowed);
        workforce.expel(_worker(0), stranger);
        vm.expectRevert(notAllowed);
        workforce.slashPool(coordinator, stranger);
        vm.expectRevert(notAllowed);
        workforce.makeDormant(_worker(0));
        vm.expectRevert(notAllowed);
        workforce.earn(_worker(0), pool, 1);
        vm.expectRevert(notAllowed);
        workforce.punish(_worker(0), 1, block.timestamp);
        vm.expectRevert(notAllowed);
        workforce.takeBack(_worker(0), 1, block.timestamp);
        vm.stopPrank();
    }

    function test_leaveWithdrawWake_itFollowsTheBond() public {
        vm.expectEmit(address(workforce));
        emit IWorkforce.WorkerLeaving(_worker(0), uint64(block.timestamp + 7 days));
        vm.expectEmit(address(workforce));
        emit IWorkforce.WorkerChanged(_worker(0), _word(0).withActiveFrom(WorkerWords.LEAVING));
        _asOperator();
        workforce.leavePool(_worker(0));
        vm.assertEq(workforce.poolOf(pool).bond(), 0);
        vm.assertEq(_word(0).activeFrom(), WorkerWords.LEAVING);
        vm.warp(block.timestamp + 7 days);
        vm.expectEmit(address(workforce));
        emit IWorkforce.BondWithdrawn(_worker(0), BOND - MINIMUM_BOND);
        _asOperator();
        workforce.withdrawBond(_worker(0), BOND - MINIMUM_BOND);
        vm.roll(block.number + 3);
        _asOperator();
        workforce.wake(_worker(0));
        vm.assertEq(_word(0).activeFrom(), block.number);
        vm.assertEq(workforce.poolOf(pool).bond(), MINIMUM_BOND / UNIT);
        vm.assertEq(workforce.readyAt(_worker(0)), 0);
    }

    function test_wake_givenABondBelowTheMinimum_itReverts() public {
        _asOperator();
        workforce.leavePool(_worker(0));
        vm.warp(block.timestamp + 7 days);
        _asOperator();
        workforce.withdrawBond(_worker(0), BOND - MINIMUM_BOND + UNIT);
        _asOperator();
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.BondTooSmall.selector, MINIMUM_BOND - UNIT, MINIMUM_BOND));
        workforce.wake(_worker(0));
    }

    function test_wake_givenAnActiveWorker_itReverts() public {
        vm.prank(_worker(0));
        vm.expectPartialRevert(IWorkforce.WrongState.selector);
        workforce.wake(_worker(0));
    }

    function test_withdrawBond_givenMoreThanTheBond_itReverts() public {
        _asOperator();
        workforce.leavePool(_worker(0));
        vm.warp(block.timestamp + 7 days);
        _asOperator();
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.BondTooSmall.selector, BOND, BOND + UNIT));
        workforce.withdrawBond(_worker(0), BOND + UNIT);
    }

    function test_withdrawBond_givenAnActiveWorker_itReverts() public {
        _asOperator();
        vm.expectPartialRevert(IWorkforce.WrongState.selector);
        workforce.withdrawBond(_worker(0), UNIT);
    }

    function test_move_itChangesPoolAndResetsSeats() public {
        vm.prank(poolOwner);
        uint32 other = workforce.createPool(address(0xc0), 0, false, MINIMUM_DEPOSIT, "other");
        vm.roll(block.number + 5);
        _asOperator();
        workforce.move(_worker(0), other, 1);
        vm.assertEq(workforce.poolOf(pool).bond(), 0);
        vm.assertEq(workforce.poolOf(other).bond(), BOND / UNIT);
        vm.assertEq(_word(0).activeFrom(), block.number);
    }

    function test_move_withinAPool_itKeepsReputation() public {
        vm.prank(address(court));
        workforce.earn(_worker(0), pool, 5);
        _asOperator();
        workforce.move(_worker(0), pool, 2);
        vm.assertEq(_word(0).reputation(), 5);
        vm.assertEq(_word(0).runtime(), 2);
    }

    function test_addBond_givenALeavingWorker_itStaysOutOfThePool() public {
        _fund(_operator(0), BOND);
        vm.startPrank(_operator(0));
        workforce.leavePool(_worker(0));
        workforce.addBond(_worker(0), BOND);
        vm.stopPrank();
        vm.assertEq(workforce.poolOf(pool).bond(), 0);
        vm.assertEq(_word(0).bond(), 2 * BOND / UNIT);
    }

    function test_expel_itLeavesWhatIsAtRiskUntilItIsFree() public {
        MemberWord[] memory members = new MemberWord[](1);
        members[0] = MemberWord.wrap(uint256(uint160(_worker(0))) << 96 | 30_000);
        vm.prank(address(certifier));
        workforce.settle(members);
        vm.expectEmit(address(workforce));
        emit IWorkforce.Expelled(_worker(0), 70e18, stranger);
        vm.prank(address(recourse));
        workforce.expel(_worker(0), stranger);
        vm.assertEq(_word(0).bond(), 30_000);
        vm.assertEq(_balance(stranger), 7e18);
        vm.assertEq(workforce.poolOf(pool).bond(), 0);
        vm.expectPartialRevert(IWorkforce.StillBonded.selector);
        workforce.burnExpelled(_worker(0));
        _asOperator();
        vm.expectPartialRevert(IWorkforce.WrongState.selector);
        workforce.addBond(_worker(0), UNIT);
        _asOperator();
        vm.expectPartialRevert(IWorkforce.WrongState.selector);
        workforce.leavePool(_worker(0));
        vm.warp(block.timestamp + 7 days);
        workforce.burnExpelled(_worker(0));
        vm.assertEq(_burnt(), 63e18 + 30e18);
        vm.assertEq(_word(0).bond(), 0);
    }

    function test_burnExpelled_givenAnHonestWorker_itReverts() public {
        vm.expectPartialRevert(IWorkforce.WrongState.selector);
        workforce.burnExpelled(_worker(0));
    }

    function test_makeDormant_itTakesTheBondOutOfThePool() public {
        vm.expectEmit(address(workforce));
        emit IWorkforce.WorkerDormant(_worker(0));
        vm.startPrank(address(recourse));
        workforce.makeDormant(_worker(0));
        vm.assertEq(_word(0).activeFrom(), WorkerWords.DORMANT);
        vm.assertEq(_word(0).bond(), BOND / UNIT);
        vm.assertEq(workforce.poolOf(pool).bond(), 0);
        vm.assertEq(workforce.runtimeBond(1), 0);
        vm.expectPartialRevert(IWorkforce.WrongState.selector);
        workforce.makeDormant(_worker(0));
        vm.stopPrank();
    }

    function test_slashPool_aTenthIsTheReportersTheRestNobodys() public {
        vm.expectEmit(address(workforce));
        emit IWorkforce.PoolSlashed(pool, MINIMUM_DEPOSIT, stranger);
        vm.startPrank(address(recourse));
        workforce.slashPool(coordinator, stranger);
        vm.assertEq(_balance(stranger), MINIMUM_DEPOSIT / 10);
        vm.assertEq(_burnt(), MINIMUM_DEPOSIT - MINIMUM_DEPOSIT / 10);
        vm.assertTrue(workforce.poolOf(pool).closing());
        // Once: there is nothing left.
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.UnknownPool.selector, pool));
        workforce.slashPool(coordinator, stranger);
        vm.stopPrank();
    }

    function test_settle_givenAnUnknownWorker_itReverts() public {
        MemberWord[] memory members = new MemberWord[](1);
        members[0] = MemberWord.wrap(uint256(uint160(stranger)) << 96);
        vm.prank(address(certifier));
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.UnknownWorker.selector, stranger));
        workforce.settle(members);
    }

    function test_settle_itTakesNoMoreThanThereIs() public {
        MemberWord[] memory members = new MemberWord[](1);
        members[0] = MemberWord.wrap(uint256(uint160(_worker(0))) << 96 | type(uint40).max);
        vm.prank(address(certifier));
        workforce.settle(members);
        vm.assertEq(_exposure(0), 50_000);
        members[0] = MemberWord.wrap(uint256(uint160(_worker(0))) << 96 | uint256(type(uint40).max) << 40);
        vm.prank(address(certifier));
        workforce.settle(members);
        vm.assertEq(_word(0).bond(), 50_000);
        vm.assertEq(workforce.poolOf(pool).bond(), 50_000);
    }

    /// @dev Up to the last second of its time at risk; what is left of the bond bounds what is left at risk.
    function test_punish_itReachesWhatIsAtRisk() public {
        MemberWord[] memory members = new MemberWord[](1);
        members[0] = MemberWord.wrap(uint256(uint160(_worker(0))) << 96 | 40_000);
        vm.startPrank(address(court));
        workforce.settle(members);
        uint256 slashed = workforce.punish(_worker(0), 70_000, block.timestamp - 5 days + 1);
        vm.assertEq(slashed, 70_000);
        vm.assertEq(_exposure(0), 30_000);
        slashed = workforce.punish(_worker(0), 200_000, block.timestamp);
        vm.stopPrank();
        vm.assertEq(slashed, 30_000);
        vm.assertEq(_exposure(0), 0);
        vm.assertEq(_word(0).bond(), 0);
        vm.assertEq(workforce.poolOf(pool).bond(), 0);
    }

    function test_punish_givenItsTimeAtRiskIsOver_itLeavesNewerStakeAlone() public {
        MemberWord[] memory members = new MemberWord[](1);
        members[0] = MemberWord.wrap(uint256(uint160(_worker(0))) << 96 | 40_000);
        vm.startPrank(address(court));
        workforce.settle(members);
        uint256 slashed = workforce.punish(_worker(0), 200_000, block.timestamp - 5 days);
        vm.stopPrank();
        vm.assertEq(slashed, 60_000);
        vm.assertEq(_exposure(0), 40_000);
    }

    function test_takeBack_itLeavesTheReputation() public {
        vm.startPrank(address(court));
        workforce.earn(_worker(0), pool, 7);
        uint256 taken = workforce.takeBack(_worker(0), 300, block.timestamp);
        vm.stopPrank();
        vm.assertEq(taken, 300);
        vm.assertEq(_word(0).bond(), 99_700);
        vm.assertEq(_word(0).reputation(), 7);
        vm.assertEq(workforce.runtimeBond(1), workforce.poolOf(pool).bond());
    }

    /// @dev It moved between the certificate and its audit: what it did elsewhere counts for nothing here.
    function test_earn_givenAnotherPool_itChangesNothing() public {
        vm.prank(address(court));
        workforce.earn(_worker(0), pool + 1, 7);
        vm.assertEq(_word(0).reputation(), 0);
    }

    function test_earn_itSaturates() public {
        vm.expectEmit(address(workforce));
        emit IWorkforce.ReputationEarned(_worker(0), 65_000);
        vm.startPrank(address(court));
        workforce.earn(_worker(0), pool, 65_000);
        workforce.earn(_worker(0), pool, 65_000);
        vm.stopPrank();
        vm.assertEq(_word(0).reputation(), 65_535);
    }
}
