// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Claim} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {City} from "../support/City.sol";
import {TrickCallback, TrickToken} from "../support/Doubles.sol";
import {Plays} from "../support/Plays.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";

/// @title Deliveries to callbacks that misbehave, and of receipts that are not there
contract BadDeliveriesTest is Plays {
    TrickCallback private _callback;
    Terms private _terms;
    Receipt[] private _receipts;

    function setUp() public {
        _buildCity(5);
        _callback = new TrickCallback();
    }

    /// @dev Certifies a batch of `tasks` tasks and waits until it is final.
    function _certified(uint32 tasks) private returns (Certified memory done) {
        Offer memory offer = _offerOf(tasks, tasks);
        offer.request.callback = address(_callback);
        offer.request.callbackGas = 200_000;
        _terms = _open(offer);
        done = _certifyRoot(Receipts.rootOf(Receipts.make(tasks, 1000)), 1000 * tasks);
        vm.warp(done.certificate.finalAt);
    }

    function _certifyRoot(bytes32 root, uint64 fuel) private returns (Certified memory) {
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(root, fuel);
        return _certify(_draftOf(_terms, 0, claims, _all(0, 3, 0)));
    }

    function _deliver(Certified memory done, uint32 tasks, uint256 index) private {
        Receipt[] memory receipts = Receipts.make(tasks, 1000);
        bytes32[] memory proof = Receipts.proofOf(receipts, index);
        bytes memory output = Receipts.outputOf(index);
        certifier.deliver(_parcel(_terms, done, receipts[index]), proof, output);
    }

    function _refused(TrickCallback.Trick trick) private {
        Certified memory done = _certified(1);
        _callback.set(trick);
        Receipt[] memory receipts = Receipts.make(1, 1000);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.CallbackFailed.selector, address(_callback)));
        certifier.deliver(_parcel(_terms, done, receipts[0]), new bytes32[](0), Receipts.outputOf(0));
        vm.assertFalse(certifier.delivered(_terms.dealId, 0, 0));
        // Anybody may try again.
        _callback.set(TrickCallback.Trick.None);
        _deliver(done, 1, 0);
        vm.assertTrue(certifier.delivered(_terms.dealId, 0, 0));
        vm.assertEq(_callback.deliveries(), 1);
    }

    function test_badInput_callbackThatReverts() public {
        _refused(TrickCallback.Trick.Revert);
    }

    function test_badInput_callbackThatBurnsAllGas() public {
        uint256 before = gasleft();
        _refused(TrickCallback.Trick.BurnGas);
        vm.assertLt(before - gasleft(), 3_000_000);
    }

    function test_badInput_callbackThatReturnsABomb() public {
        uint256 before = gasleft();
        _refused(TrickCallback.Trick.Bomb);
        vm.assertLt(before - gasleft(), 3_000_000);
    }

    function test_badInput_callbackThatReEnters() public {
        Certified memory done = _certified(1);
        Receipt[] memory receipts = Receipts.make(1, 1000);
        bytes memory again = abi.encodeCall(
            ICertifier.deliver, (_parcel(_terms, done, receipts[0]), new bytes32[](0), Receipts.outputOf(0))
        );
        _callback.set(TrickCallback.Trick.ReEnter);
        _callback.setAttack(address(certifier), again);
        _deliver(done, 1, 0);
        vm.assertFalse(_callback.innerOk());
        vm.assertEq(_callback.deliveries(), 1);
    }

    function test_badInput_rootWithAMissingLeaf() public {
        // Three tasks, but the root holds two receipts: the third has no proof.
        Offer memory offer = _offerOf(3, 3);
        offer.request.callback = address(_callback);
        offer.request.callbackGas = 200_000;
        _terms = _open(offer);
        Receipt[] memory two = Receipts.make(2, 1000);
        Certified memory done = _certifyRoot(Receipts.rootOf(two), 3000);
        vm.warp(done.certificate.finalAt);
        Receipt[] memory three = Receipts.make(3, 1000);
        bytes32[] memory shallow = Receipts.proofOf(two, 0);
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongReceipt.selector, i));
            certifier.deliver(_parcel(_terms, done, three[i]), shallow, Receipts.outputOf(i));
            bytes32[] memory proof = Receipts.proofOf(three, i);
            vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongReceipt.selector, i));
            certifier.deliver(_parcel(_terms, done, three[i]), proof, Receipts.outputOf(i));
        }
    }

    function test_badInput_rootWithADoubledLeaf() public {
        // Leaf 1 repeats task 0: it can be delivered neither as task 0 a second time nor as task 1.
        Offer memory offer = _offerOf(2, 2);
        offer.request.callback = address(_callback);
        offer.request.callbackGas = 200_000;
        _terms = _open(offer);
        Receipt[] memory receipts = Receipts.make(2, 1000);
        receipts[1] = receipts[0];
        Certified memory done = _certifyRoot(Receipts.rootOf(receipts), 2000);
        vm.warp(done.certificate.finalAt);
        bytes32[] memory proof = Receipts.proofOf(receipts, 1);
        bytes memory output = Receipts.outputOf(0);
        certifier.deliver(_parcel(_terms, done, receipts[0]), proof, output);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.AlreadyDelivered.selector, 0));
        certifier.deliver(_parcel(_terms, done, receipts[0]), proof, output);
        receipts[1].index = 1;
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongReceipt.selector, 1));
        certifier.deliver(_parcel(_terms, done, receipts[1]), proof, output);
    }
}

/// @title Tokens that misbehave
contract BadTokensTest is City {
    TrickToken private _token;

    function setUp() public {
        _token = new TrickToken();
        _deployCity(address(_token));
        _fund(requester, 10e18);
        _token.mint(requester, 10e18);
    }

    function test_badInput_tokenThatReturnsFalse() public {
        _token.set(TrickToken.Trick.AnswerFalse, vault);
        vm.prank(requester);
        vm.expectRevert();
        vault.deposit(requester, 1e18);
        vm.prank(requester);
        vm.expectRevert();
        vault.withdraw(1e18, requester);
        vm.assertEq(_balance(requester), 10e18);
    }

    function test_badInput_tokenThatTakesAFee() public {
        _token.set(TrickToken.Trick.TakeFee, vault);
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenChargesOnTransfer.selector, 1e18, 0.99e18));
        vault.deposit(requester, 1e18);
        vm.assertEq(_balance(requester), 10e18);
    }

    function test_badInput_tokenThatCallsBack() public {
        _token.set(TrickToken.Trick.CallBack, vault);
        vm.prank(requester);
        vault.deposit(requester, 1e18);
        vm.assertTrue(_token.reentered());
        vm.assertEq(_balance(requester), 11e18);
        vm.assertEq(_balance(address(_token)), 0);
        vm.assertEq(_token.balanceOf(address(vault)), 11e18);
    }

    function test_badInput_tokenThatCallsBackAtWithdrawal() public {
        _token.set(TrickToken.Trick.CallBack, vault);
        vm.prank(requester);
        vault.withdraw(1e18, requester);
        vm.assertTrue(_token.reentered());
        vm.assertEq(_balance(requester), 9e18);
        vm.assertEq(_token.balanceOf(address(vault)), 9e18);
    }

    function test_hole_37_anAccountThatTheTokenRefusesBlocksItselfOnly() public {
        _fund(stranger, 5e18);
        _token.refuse(stranger);
        vm.prank(stranger);
        vm.expectRevert();
        vault.withdraw(5e18, stranger);
        vm.assertEq(_balance(stranger), 5e18);
        // Everybody else goes on, and it may name another receiver.
        vm.prank(requester);
        vault.withdraw(10e18, requester);
        vm.prank(stranger);
        vault.withdraw(5e18, poster);
        vm.assertEq(_token.balanceOf(poster), 5e18);
    }

    function test_tokenThatAnswersNothing_isTaken() public {
        _token.set(TrickToken.Trick.AnswerNothing, vault);
        vm.prank(requester);
        vault.deposit(requester, 1e18);
        vm.prank(requester);
        vault.withdraw(2e18, requester);
        vm.assertEq(_balance(requester), 9e18);
    }
}
