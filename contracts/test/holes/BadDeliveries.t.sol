// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IDeliveryCallback} from "../../src/interfaces/IDeliveryCallback.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Certificate, CertifiedBatch, Claim, Delivery} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {TrickCallback, TrickToken} from "../support/Doubles.sol";
import {Plays} from "../support/Plays.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";

/// @title Deliveries to callbacks that misbehave, and of receipts that are not there
contract BadDeliveriesTest is Plays {
    uint32 private constant CALLBACK_GAS = 200_000;
    /// @dev More than a delivery takes beside its callback, and much less than copying a bomb would.
    uint256 private constant DELIVERY_GAS = 40_000;

    TrickCallback private _callback;
    Terms private _terms;

    function setUp() public {
        _buildCity(5);
        _callback = new TrickCallback();
    }

    /// @dev Certifies a batch of `tasks` tasks and waits until it is final.
    function _certified(uint32 tasks) private returns (CertifiedBatch memory) {
        return _certifiedWith(Receipts.make(tasks, 1000));
    }

    function _certifiedWith(Receipt[] memory receipts) private returns (CertifiedBatch memory done) {
        uint32 tasks = uint32(receipts.length);
        Offer memory offer = _offerOf(tasks, tasks);
        offer.request.callback = address(_callback);
        offer.request.callbackGas = CALLBACK_GAS;
        _terms = _open(offer);
        done = _certifyRoot(Receipts.rootOf(receipts), 1000 * tasks);
        vm.warp(done.certificate.finalAt);
    }

    function _certifyRoot(bytes32 root, uint64 fuel) private returns (CertifiedBatch memory) {
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(root, fuel);
        return _certify(_draftOf(_terms, 0, claims, _all(0, 3, 0)));
    }

    function _deliver(CertifiedBatch memory done, uint32 tasks, uint256 index) private {
        Receipt[] memory receipts = Receipts.make(tasks, 1000);
        bytes32[] memory proof = Receipts.proofOf(receipts, index);
        bytes memory output = Receipts.outputOf(index);
        certifier.deliver(_parcel(_terms, done, receipts[index]), proof, output);
    }

    /// @dev Delivers to a callback that fails; answers the gas that this took.
    function _refused(TrickCallback.Trick trick) private returns (uint256 used) {
        CertifiedBatch memory done = _certified(1);
        _callback.set(trick);
        bytes memory reason;
        (used, reason) = _measured(done);
        vm.assertEq(
            keccak256(reason), keccak256(abi.encodeWithSelector(ICertifier.CallbackFailed.selector, address(_callback)))
        );
        vm.assertFalse(certifier.delivered(_terms.dealId, 0, 0));
        // Anybody may try again.
        _callback.set(TrickCallback.Trick.None);
        _deliver(done, 1, 0);
        vm.assertTrue(certifier.delivered(_terms.dealId, 0, 0));
        vm.assertEq(_callback.deliveries(), 1);
    }

    /// @dev Gas of one delivery, whatever it comes to, and what it reverted with. Nothing is copied but its first words.
    function _measured(CertifiedBatch memory done) private returns (uint256 used, bytes memory reason) {
        Receipt[] memory receipts = Receipts.make(1, 1000);
        bytes memory data = abi.encodeCall(
            ICertifier.deliver, (_parcel(_terms, done, receipts[0]), new bytes32[](0), Receipts.outputOf(0))
        );
        address target = address(certifier);
        reason = new bytes(36);
        assembly ("memory-safe") {
            let before := gas()
            let ok := call(gas(), target, 0, add(data, 32), mload(data), 0, 0)
            used := sub(before, gas())
            if ok { mstore(reason, 0) }
            if iszero(ok) {
                if gt(returndatasize(), 36) { revert(0, 0) }
                returndatacopy(add(reason, 32), 0, returndatasize())
            }
        }
    }

    /// @dev What a contract acts on is what was certified, field by field: a failure does not come as a success.
    function test_badInput_appThatFailed() public {
        Receipt[] memory receipts = Receipts.make(2, 1000);
        receipts[1].exit = 3;
        CertifiedBatch memory done = _certifiedWith(receipts);
        Certificate memory c = done.certificate;
        Delivery memory expected = Delivery({
            dealId: c.dealId,
            task: 1,
            attempt: c.attempt,
            exit: 3,
            isFinal: true,
            seats: c.seats,
            evidence: c.evidence,
            seedKind: c.seedKind,
            pool: _terms.pool,
            odds: c.odds,
            stake: c.stake,
            requester: _terms.requester,
            app: _terms.app,
            dataset: _terms.dataset,
            inputs: _terms.inputs,
            policy: c.policy
        });
        bytes memory output = Receipts.outputOf(1);
        vm.expectCall(address(_callback), abi.encodeCall(IDeliveryCallback.onDelivery, (expected, output)));
        certifier.deliver(_parcel(_terms, done, receipts[1]), Receipts.proofOf(receipts, 1), output);
    }

    function test_badInput_callbackThatReverts() public {
        _refused(TrickCallback.Trick.Revert);
    }

    function test_badInput_callbackThatBurnsAllGas() public {
        vm.assertLt(_refused(TrickCallback.Trick.BurnGas), CALLBACK_GAS + DELIVERY_GAS);
    }

    function test_badInput_callbackThatRevertsWithABomb() public {
        vm.assertLt(_refused(TrickCallback.Trick.RevertBomb), CALLBACK_GAS + DELIVERY_GAS);
    }

    function test_badInput_callbackThatReturnsABomb() public {
        CertifiedBatch memory done = _certified(1);
        _callback.set(TrickCallback.Trick.ReturnBomb);
        (uint256 used, bytes memory reason) = _measured(done);
        vm.assertEq(reason.length, 0);
        vm.assertTrue(certifier.delivered(_terms.dealId, 0, 0));
        vm.assertEq(_callback.deliveries(), 1);
        vm.assertLt(used, CALLBACK_GAS + DELIVERY_GAS);
    }

    function test_badInput_callbackThatReEnters() public {
        CertifiedBatch memory done = _certified(1);
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
        offer.request.callbackGas = CALLBACK_GAS;
        _terms = _open(offer);
        Receipt[] memory two = Receipts.make(2, 1000);
        CertifiedBatch memory done = _certifyRoot(Receipts.rootOf(two), 3000);
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
        offer.request.callbackGas = CALLBACK_GAS;
        _terms = _open(offer);
        Receipt[] memory receipts = Receipts.make(2, 1000);
        receipts[1] = receipts[0];
        CertifiedBatch memory done = _certifyRoot(Receipts.rootOf(receipts), 2000);
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
/// @notice The token's code runs where tokens enter and leave the ledger, and nowhere else: deposit, withdrawal, and the pull of
/// a match with a permit.
contract BadTokensTest is Plays {
    bytes4 private constant PANIC = bytes4(keccak256("Panic(uint256)"));

    TrickToken private _token;
    IVault.Permit private _permit;

    function setUp() public {
        _token = new TrickToken();
        _deployCity(address(_token));
        _settleCity(3);
        vm.prank(requester);
        vault.withdraw(RICHES - 10e18, requester);
    }

    /// @dev A request whose lock the requester holds in tokens only: a match has to pull them.
    function _unpaid() private returns (Offer memory offer) {
        vm.prank(requester);
        vault.withdraw(10e18, requester);
        offer = _sign(_offer());
        _permit.value = type(uint256).max;
    }

    /// @dev Nothing of a match with a permit is left.
    function _nothingMatched(Offer memory offer) private view {
        vm.assertEq(market.termsHash(market.hashRequest(offer.request)), 0);
        vm.assertEq(_balance(requester), 0);
        vm.assertEq(_token.balanceOf(requester), RICHES);
    }

    function test_badInput_tokenThatReturnsFalse() public {
        _token.set(TrickToken.Trick.AnswerFalse, vault);
        bytes memory failed = abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(_token));
        vm.prank(requester);
        vm.expectRevert(failed);
        vault.deposit(requester, 1e18);
        vm.prank(requester);
        vm.expectRevert(failed);
        vault.withdraw(1e18, requester);
        vm.assertEq(_balance(requester), 10e18);
    }

    function test_badInput_tokenThatReturnsFalseToAPull() public {
        Offer memory offer = _unpaid();
        _token.set(TrickToken.Trick.AnswerFalse, vault);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(_token)));
        _matchWithPermit(offer, _permit);
        _nothingMatched(offer);
    }

    function test_badInput_tokenThatTakesAFee() public {
        _token.set(TrickToken.Trick.TakeFee, vault);
        vm.prank(requester);
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenChargesOnTransfer.selector, 1e18, 0.99e18));
        vault.deposit(requester, 1e18);
        vm.assertEq(_balance(requester), 10e18);
    }

    function test_badInput_tokenThatTakesAFeeOfAPull() public {
        Offer memory offer = _unpaid();
        _token.set(TrickToken.Trick.TakeFee, vault);
        // Eight executions at the limit and the app's price.
        uint256 lock = 8 * uint256(FUEL_LIMIT) * FEE / 1e6 + APP_PRICE;
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenChargesOnTransfer.selector, lock, lock - lock / 100));
        _matchWithPermit(offer, _permit);
        _nothingMatched(offer);
    }

    function test_badInput_tokenThatCallsBack() public {
        _token.set(TrickToken.Trick.CallBack, vault);
        vm.prank(requester);
        vault.deposit(requester, 1e18);
        vm.assertTrue(_token.reentered());
        vm.assertEq(_balance(requester), 11e18);
        vm.assertEq(_balance(address(_token)), 0);
    }

    function test_badInput_tokenThatCallsBackAtWithdrawal() public {
        _token.set(TrickToken.Trick.CallBack, vault);
        vm.prank(requester);
        vault.withdraw(1e18, requester);
        vm.assertTrue(_token.reentered());
        vm.assertEq(_balance(requester), 9e18);
        vm.assertEq(_balance(address(_token)), 0);
    }

    /// @dev The call back comes while a pull is half-way, from the transfer or from the permit: the ledger's lock holds, and
    /// the match goes on as if nothing had been.
    function test_badInput_tokenThatCallsBackInAPull() public {
        TrickToken.Trick[2] memory tricks = [TrickToken.Trick.CallBack, TrickToken.Trick.CallBackInPermit];
        Offer memory offer = _unpaid();
        uint256 state = vm.snapshotState();
        for (uint256 i; i < 2; ++i) {
            vm.revertToState(state);
            state = vm.snapshotState();
            _token.set(tricks[i], vault);
            bytes32 dealId = _matchWithPermit(offer, _permit);
            vm.assertTrue(_token.reentered());
            vm.assertGt(uint256(market.termsHash(dealId)), 1);
            vm.assertEq(_balance(requester), 0);
            vm.assertEq(_balance(address(_token)), 0);
        }
    }

    /// @dev The call back opens another deal of the same payer, who has enough for one: the second of the two fails whole.
    function test_badInput_tokenThatMatchesInAPull() public {
        Offer memory other = _sign(_offer());
        vm.prank(requester);
        vault.withdraw(9.15e18, requester);
        Offer memory offer = _sign(_offerOf(2, 2));
        _permit.value = type(uint256).max;
        _token.set(TrickToken.Trick.CallBack, vault);
        _token.setAttack(
            address(market),
            abi.encodeCall(IMarket.matchOrders, (other.app, other.dataset, other.pool, other.request, other.signatures))
        );
        uint256 tokens = _token.balanceOf(address(vault));
        vm.expectPartialRevert(IVault.BalanceTooLow.selector);
        _matchWithPermit(offer, _permit);
        vm.assertEq(_balance(requester), 0.85e18);
        vm.assertEq(_token.balanceOf(address(vault)), tokens);
        vm.assertEq(market.termsHash(market.hashRequest(other.request)), 0);
    }

    function test_badInput_tokenWhosePermitFails_needsAnAllowance() public {
        Offer memory offer = _unpaid();
        _token.set(TrickToken.Trick.RevertInPermit, vault);
        uint256 state = vm.snapshotState();
        vm.prank(requester);
        _token.approve(address(vault), 0);
        // The token's own subtraction fails: a panic, which tells of no error of ours.
        vm.expectRevert(abi.encodeWithSelector(PANIC, 0x11));
        _matchWithPermit(offer, _permit);
        _nothingMatched(offer);
        vm.revertToState(state);
        _matchWithPermit(offer, _permit);
        vm.assertEq(_balance(requester), 0);
    }

    /// @dev Bonds, deposits, locks and fees are moved in the ledger: a token that fails every transfer stops none of them.
    function test_badInput_bondsAndDealsDoNotCallTheToken() public {
        _fund(_operator(3), 3 * BOND);
        _token.set(TrickToken.Trick.AnswerFalse, vault);
        _join(3, 3, BOND);
        vm.prank(_operator(3));
        workforce.addBond(_worker(3), BOND);
        _mine(1, 12);
        CertifiedBatch memory done = _certifyBy(_open(_offer()), 0, 3);
        vm.assertEq(done.certificate.seats, 3);
        vm.prank(_operator(3));
        workforce.leavePool(_worker(3));
        vm.warp(block.timestamp + 7 days);
        vm.prank(_operator(3));
        workforce.withdrawBond(_worker(3), 2 * BOND);
        vm.assertEq(_balance(_operator(3)), 3 * BOND);
    }

    function test_hole_37_anAccountThatTheTokenRefusesBlocksItselfOnly() public {
        _fund(stranger, 5e18);
        _token.refuse(stranger);
        vm.prank(stranger);
        vm.expectRevert(bytes("refused"));
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
