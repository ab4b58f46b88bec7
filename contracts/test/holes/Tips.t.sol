// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {CertifiedBatch, Claim, Parcel} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {TrickCallback} from "../support/Doubles.sol";
import {Plays} from "../support/Plays.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {bound, vm} from "../support/Vm.sol";

/// @title Tips for deliveries, and those who would have more of them
contract DeliveryTipsTest is Plays {
    uint96 private constant TIP = 3e17;
    bytes4 private constant WRONG_CERTIFICATE = bytes4(keccak256("WrongCertificate(bytes32,uint256)"));

    TrickCallback private _callback;
    Terms private _terms;

    function setUp() public {
        _buildCity(5);
        _callback = new TrickCallback();
    }

    /// @dev An offer of a batch of tasks with a tip for each delivery.
    function _tipped(uint32 tasks, uint96 tip) private returns (Offer memory offer) {
        offer = _offerOf(tasks, tasks);
        offer.request.callback = address(_callback);
        offer.request.callbackGas = 300_000;
        offer.request.deliveryTip = tip;
        offer.request.policy.finalOnly = false;
    }

    /// @dev Opens the deal of a signed offer and certifies its only batch.
    function _certified(Offer memory offer) private returns (CertifiedBatch memory done) {
        _terms = _openHere(offer);
        _mine(1, 12);
        uint32 tasks = _terms.taskCount;
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(Receipts.rootOf(Receipts.make(tasks, 1000)), 1000 * tasks);
        done = _certify(_draftOf(_terms, 0, claims, _all(0, 3, 0)));
    }

    function _certifiedTip(uint32 tasks) private returns (CertifiedBatch memory done) {
        return _certified(_sign(_tipped(tasks, TIP)));
    }

    function _callFor(CertifiedBatch memory done, uint256 index) private view returns (bytes memory) {
        Receipt[] memory receipts = Receipts.make(_terms.taskCount, 1000);
        return abi.encodeCall(
            ICertifier.deliver,
            (_parcel(_terms, done, receipts[index]), Receipts.proofOf(receipts, index), Receipts.outputOf(index))
        );
    }

    function _deliverAs(address deliverer, CertifiedBatch memory done, uint256 index) private returns (bool ok) {
        bytes memory data = _callFor(done, index);
        vm.prank(deliverer);
        (ok,) = address(certifier).call(data);
    }

    /// @dev Leaves an account so much and no more.
    function _leave(address account, uint256 balance) private {
        uint256 before = _balance(account);
        vm.prank(account);
        vault.withdraw(before - balance, account);
    }

    function test_tip_goesFromTheRequesterToTheDeliverer() public {
        CertifiedBatch memory done = _certifiedTip(2);
        uint256 before = _balance(requester);
        uint256 held = token.balanceOf(address(vault));
        bytes memory data = _callFor(done, 1);
        vm.expectEmit(address(certifier));
        emit ICertifier.DeliveryTipped(_terms.dealId, 1, stranger, TIP);
        vm.prank(stranger);
        (bool ok,) = address(certifier).call(data);
        vm.assertTrue(ok);
        vm.assertEq(_balance(stranger), TIP);
        vm.assertEq(before - _balance(requester), TIP);
        vm.assertEq(token.balanceOf(address(vault)), held);
        // It is the deliverer's own: it may leave at once.
        vm.prank(stranger);
        vault.withdraw(TIP, stranger);
        vm.assertEq(token.balanceOf(stranger), TIP);
    }

    function test_tip_withoutOne_noEventTellsOfIt() public {
        CertifiedBatch memory done = _certified(_sign(_tipped(1, 0)));
        vm.recordLogs();
        vm.assertTrue(_deliverAs(stranger, done, 0));
        vm.assertEq(vm.getRecordedLogs().length, 1);
        vm.assertEq(_balance(stranger), 0);
    }

    function test_tip_isPaidOnceATask() public {
        CertifiedBatch memory done = _certifiedTip(2);
        vm.assertTrue(_deliverAs(stranger, done, 0));
        vm.assertFalse(_deliverAs(stranger, done, 0));
        vm.assertFalse(_deliverAs(poster, done, 0));
        vm.warp(done.certificate.finalAt);
        _release(_terms, done);
        vm.assertFalse(_deliverAs(stranger, done, 0));
        vm.assertEq(_balance(stranger), TIP);
        vm.assertEq(_balance(poster), 0);
    }

    /// @dev A unit too little: the result arrives, and nothing is taken, not even what is there.
    function test_tip_withoutTheBalance_deliversAndPaysNothing() public {
        CertifiedBatch memory done = _certifiedTip(2);
        _leave(requester, TIP - 1);
        vm.recordLogs();
        vm.assertTrue(_deliverAs(stranger, done, 0));
        vm.assertEq(vm.getRecordedLogs().length, 1);
        vm.assertEq(_callback.deliveries(), 1);
        vm.assertEq(_balance(requester), TIP - 1);
        vm.assertEq(_balance(stranger), 0);
        // Money that comes later pays for the next delivery and not for that one.
        _fund(requester, 1);
        vm.assertFalse(_deliverAs(stranger, done, 0));
        vm.assertTrue(_deliverAs(stranger, done, 1));
        vm.assertEq(_balance(requester), 0);
        vm.assertEq(_balance(stranger), TIP);
    }

    /// @dev Balance for one of two: who comes first has it, the other delivers for nothing.
    function test_tip_ofTwoDeliverersWhoRace_theFirstIsPaid() public {
        CertifiedBatch memory done = _certifiedTip(2);
        _leave(requester, TIP);
        vm.assertTrue(_deliverAs(stranger, done, 1));
        vm.assertTrue(_deliverAs(poster, done, 0));
        vm.assertEq(_balance(stranger), TIP);
        vm.assertEq(_balance(poster), 0);
        vm.assertEq(_callback.deliveries(), 2);
    }

    function test_tip_aSponsorIsNotCharged() public {
        Offer memory offer = _tipped(2, TIP);
        offer.request.payer = sponsor;
        CertifiedBatch memory done = _certified(_sign(offer));
        uint256 before = _balance(sponsor);
        uint256 requesters = _balance(requester);
        vm.assertTrue(_deliverAs(stranger, done, 0));
        vm.assertEq(requesters - _balance(requester), TIP);
        // Not even where the requester has nothing.
        _leave(requester, 0);
        vm.assertTrue(_deliverAs(stranger, done, 1));
        vm.assertEq(_balance(sponsor), before);
        vm.assertEq(_balance(stranger), TIP);
    }

    /// @dev What is locked for another deal of the requester is out of a tip's reach, whatever the tip.
    function test_tip_takesNothingOfLocks() public {
        CertifiedBatch memory done = _certified(_sign(_tipped(1, type(uint96).max)));
        Terms memory first = _terms;
        Terms memory other = _open(_offer());
        uint256 free = _balance(requester);
        _terms = first;
        vm.assertTrue(_deliverAs(stranger, done, 0));
        vm.assertEq(_balance(requester), free);
        vm.assertEq(_balance(stranger), 0);
        uint256 paid = _balance(requester) + _balance(poster);
        _certifyBy(other, 0, 3);
        vm.assertGt(_balance(requester) + _balance(poster), paid);
    }

    function test_tip_ofTheHighestAmount_isPaidByWhoHasIt() public {
        uint96 tip = type(uint96).max;
        CertifiedBatch memory done = _certified(_sign(_tipped(1, tip)));
        _fund(requester, tip);
        uint256 before = _balance(requester);
        vm.assertTrue(_deliverAs(stranger, done, 0));
        vm.assertEq(_balance(stranger), tip);
        vm.assertEq(before - _balance(requester), tip);
    }

    function test_tip_ofWhoDeliversItsOwn_movesNothing() public {
        CertifiedBatch memory done = _certifiedTip(1);
        uint256 before = _balance(requester);
        vm.assertTrue(_deliverAs(requester, done, 0));
        vm.assertEq(_balance(requester), before);
    }

    /// @dev The tip and whose balance it comes from are under the certificate's hash: every bit beside them is, too.
    function test_tip_aDelivererCannotChangeIt() public {
        CertifiedBatch memory done = _certifiedTip(1);
        Receipt[] memory receipts = Receipts.make(1, 1000);
        Parcel memory parcel = _parcel(_terms, done, receipts[0]);
        uint256 sizes = parcel.sizes;
        for (uint256 bit = 64; bit < 256; ++bit) {
            parcel.sizes = sizes ^ 1 << bit;
            vm.expectPartialRevert(WRONG_CERTIFICATE);
            certifier.deliver(parcel, new bytes32[](0), Receipts.outputOf(0));
        }
        parcel.sizes = sizes;
        parcel.requester = sponsor;
        vm.expectPartialRevert(WRONG_CERTIFICATE);
        certifier.deliver(parcel, new bytes32[](0), Receipts.outputOf(0));
        parcel.requester = requester;
        certifier.deliver(parcel, new bytes32[](0), Receipts.outputOf(0));
        vm.assertEq(_balance(address(this)), TIP);
    }

    /// @dev A delivery that fails gives no tip, however it fails.
    function test_tip_ofADeliveryThatFails_staysWithTheRequester() public {
        CertifiedBatch memory done = _certifiedTip(2);
        // A dispute freezes task 1.
        vm.prank(requester);
        _openDispute(done, 1, 0);
        uint256 before = _balance(requester);
        vm.assertFalse(_deliverAs(stranger, done, 1));
        _callback.set(TrickCallback.Trick.Revert);
        vm.assertFalse(_deliverAs(stranger, done, 0));
        vm.assertEq(_balance(requester), before);
        vm.assertEq(_balance(stranger), 0);
        _callback.set(TrickCallback.Trick.None);
        vm.assertTrue(_deliverAs(stranger, done, 0));
        vm.assertEq(_balance(stranger), TIP);
    }

    /// @dev The requester is the callback itself and withdraws all that it has while it is called: the tip of this delivery was
    /// paid before, the next one finds nothing and arrives all the same.
    function test_tip_aCallbackThatWithdrawsComesTooLate() public {
        address wallet = address(_callback);
        Offer memory offer = _tipped(2, TIP);
        (offer.request.requester, offer.request.payer) = (wallet, sponsor);
        offer = _sign(offer);
        offer.signatures.request = "";
        bytes32 orderHash = market.hashRequest(offer.request);
        vm.prank(wallet);
        market.signOrder(orderHash);
        _fund(wallet, 2 * uint256(TIP));
        CertifiedBatch memory done = _certified(offer);
        _callback.set(TrickCallback.Trick.ReEnter);
        _callback.setAttack(address(vault), abi.encodeCall(IVault.withdraw, (TIP, wallet)));
        vm.assertTrue(_deliverAs(stranger, done, 0));
        vm.assertTrue(_callback.innerOk());
        vm.assertEq(_balance(stranger), TIP);
        vm.assertEq(_balance(wallet), 0);
        vm.assertEq(token.balanceOf(wallet), TIP);
        vm.assertTrue(_deliverAs(poster, done, 1));
        vm.assertFalse(_callback.innerOk());
        vm.assertEq(_balance(poster), 0);
        vm.assertEq(_callback.deliveries(), 2);
    }

    /// @dev A callback that delivers another deal's task while it is called, and its own again: each task's tip is paid once, to who
    /// delivered it.
    function test_tip_aCallbackThatDeliversGetsItsOwnTipOnly() public {
        CertifiedBatch memory done = _certifiedTip(1);
        bytes memory inner = _callFor(done, 0);
        // Its gas suffices for a delivery with a smaller callback.
        Offer memory offer = _tipped(1, 2 * TIP);
        offer.request.callbackGas = 1_000_000;
        done = _certified(_sign(offer));
        uint256 before = _balance(requester);
        _callback.set(TrickCallback.Trick.ReEnter);
        _callback.setAttack(address(certifier), inner);
        vm.assertTrue(_deliverAs(stranger, done, 0));
        // The callback of the inner delivery tried the same once more, in vain.
        vm.assertTrue(_callback.innerOk());
        vm.assertEq(_callback.deliveries(), 2);
        vm.assertEq(_balance(address(_callback)), TIP);
        vm.assertEq(_balance(stranger), 2 * uint256(TIP));
        vm.assertEq(before - _balance(requester), 3 * uint256(TIP));
    }

    /// @dev All or nothing, whatever was offered and is there, and nothing comes or goes beside it.
    function testFuzz_tip_isAllOrNothing(uint96 tip, uint256 balance, uint256 first, uint256 seed) public {
        uint32 tasks = uint32(1 + seed % 40);
        if (seed & 1 << 8 != 0) tip = uint96(bound(tip, 0, 10));
        CertifiedBatch memory done = _certified(_sign(_tipped(tasks, tip)));
        _leave(requester, 0);
        uint256 left = bound(balance, 0, seed & 1 << 9 != 0 ? 3 * uint256(tip) : type(uint96).max);
        if (left > type(uint96).max) left = type(uint96).max;
        _fund(requester, left);
        uint256 held = token.balanceOf(address(vault));
        uint256 earned;
        for (uint256 i; i < (tasks < 3 ? tasks : 3); ++i) {
            vm.assertTrue(_deliverAs(stranger, done, (first % tasks + i) % tasks));
            if (left >= tip) {
                left -= tip;
                earned += tip;
            }
            vm.assertEq(_balance(requester), left);
            vm.assertEq(_balance(stranger), earned);
        }
        vm.assertEq(token.balanceOf(address(vault)), held);
    }
}
