// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {CertifiedBatch, Claim, LogItem, Status} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Group, TrickCallback, Wallet} from "../support/Doubles.sol";
import {Plays} from "../support/Plays.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";

interface IAsset {
    function transferFrom(address from, address to, uint256 id) external;
}

/// @title Attacks on orders, keys and expiry; numbers as in INVARIANTS.md
contract OrderHolesTest is Plays {
    LogItem[] private _none;

    function setUp() public {
        _buildCity(5);
    }

    function _expire(Terms memory terms, LogItem[] memory log) private {
        bytes32 roundId = log.length == 0 ? bytes32(0) : _roundId(terms, 0);
        vm.warp(terms.deadline + 601);
        certifier.expire(terms, 0, roundId, log);
    }

    function test_hole_06_thePoolsMinimumIsKeptAtExpiry() public {
        Offer memory offer = _offer();
        offer.pool.minimumFee = 5e16;
        uint256 before = _balance(requester);
        Terms memory terms = _open(offer);
        _expire(terms, _none);
        vm.assertEq(before - _balance(requester), 5e16);
        vm.prank(poolOwner);
        vm.assertEq(workforce.collectPoolFees(pool), 5e16);
    }

    function test_hole_06_aPoolCannotKeepMoreThanOneExecution() public {
        // Otherwise a pool that never works keeps the whole lock of whoever named it.
        Offer memory offer = _offer();
        uint256 execution = uint256(FUEL_LIMIT) * FEE / 1e6;
        offer.pool.minimumFee = uint96(execution + 1);
        offer = _sign(offer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.PriceTooHigh.selector, "minimum", execution + 1, execution));
        _match(offer);
        offer.pool.minimumFee = uint96(execution);
        _match(_sign(offer));
    }

    function test_hole_14_certifiedOnlyUpToTheDeadline() public {
        Terms memory terms = _open(_offer());
        Draft memory draft = _draft(terms, 0, _all(0, 3, 0));
        vm.warp(terms.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.DeadlinePassed.selector, terms.deadline));
        _post(draft);
        vm.warp(terms.deadline);
        _post(draft);
    }

    function test_hole_14_expiredOnlyAfterDeadlineAndGrace() public {
        Terms memory terms = _open(_offer());
        vm.warp(terms.deadline + 600);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooEarly.selector, terms.deadline + 601));
        certifier.expire(terms, 0, 0, _none);
        vm.warp(terms.deadline + 601);
        certifier.expire(terms, 0, 0, _none);
    }

    function test_hole_14_aCertifiedBatchDoesNotExpire() public {
        Terms memory terms = _open(_offer());
        _certifyBy(terms, 0, 3);
        vm.warp(terms.deadline + 601);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongStatus.selector, PROVISIONAL));
        certifier.expire(terms, 0, 0, _none);
    }

    function test_hole_14_aDisputedBatchDoesNotExpire() public {
        Terms memory terms = _open(_offer());
        CertifiedBatch memory done = _certifyBy(terms, 0, 3);
        vm.prank(address(court));
        certifier.setStatus(done.certificate, Status.Disputed);
        vm.warp(terms.deadline + 601);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongStatus.selector, DISPUTED));
        certifier.expire(terms, 0, 0, _none);
    }

    function test_hole_14_deadlineLeavesTimeForAnExecution() public {
        Offer memory offer = _offer();
        offer.request.fuelLimit = 10_000_000_000;
        offer.request.deadline = uint64(block.timestamp + 159);
        offer = _sign(offer);
        vm.expectRevert(
            abi.encodeWithSelector(
                IMarket.RequestOutOfBounds.selector,
                "deadline",
                offer.request.deadline,
                block.timestamp + 160,
                block.timestamp + 365 days
            )
        );
        _match(offer);
    }

    function test_hole_14_agreeingRevealsOnChainArePaidAtExpiry() public {
        // Three workers did the work and showed it; the coordinator never posted.
        Terms memory terms = _open(_offer());
        LogItem[] memory log;
        for (uint256 i; i < 3; ++i) {
            log = _commitOnChain(terms, 0, log, i, _claims()[0]);
        }
        for (uint256 i; i < 3; ++i) {
            log = _revealOnChain(terms, 0, log, i, i, _claims()[0]);
        }
        uint256 before = _balance(requester);
        _expire(terms, log);
        uint256 gross = uint256(FUEL) * FEE / 1e6;
        uint256 net = gross - gross / 10 - gross / 20;
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_fees(i), net);
        }
        vm.assertEq(_balance(requester) - before, _lockOf(terms, 1) - 3 * net);
    }

    function test_hole_14_contradictingRevealsArePaidToNobodyAndRecorded() public {
        Terms memory terms = _open(_offer());
        LogItem[] memory log;
        for (uint256 i; i < 4; ++i) {
            log = _commitOnChain(terms, 0, log, i, _claims()[i == 3 ? 1 : 0]);
        }
        for (uint256 i; i < 4; ++i) {
            log = _revealOnChain(terms, 0, log, i, i, _claims()[i == 3 ? 1 : 0]);
        }
        bytes32 roundId = _roundId(terms, 0);
        uint256 before = _balance(requester);
        vm.warp(terms.deadline + 601);
        vm.expectEmit(address(certifier));
        emit ICertifier.Contradicted(terms.dealId, 0, _worker(3), WRONG, FUEL);
        certifier.expire(terms, 0, roundId, log);
        vm.assertEq(_fees(0), 0);
        vm.assertEq(_balance(requester) - before, _lockOf(terms, 1));
    }

    function test_hole_14_expiryIsPerBatch() public {
        Terms memory terms = _open(_offerOf(2, 1));
        uint256 before = _balance(requester);
        _certifyBy(terms, 1, 3);
        uint256 afterOne = _balance(requester);
        vm.assertGt(afterOne, before);
        _expire(terms, _none);
        vm.assertEq(_balance(requester) - afterOne, _lockOf(terms, 1));
        vm.assertEq(_status(terms, 0), EXPIRED);
        vm.assertEq(_status(terms, 1), PROVISIONAL);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongStatus.selector, EXPIRED));
        certifier.expire(terms, 0, 0, _none);
    }

    function test_hole_27_nobodySquatsAKey() public {
        _fund(stranger, BOND);
        bytes memory others = _workerKeySignature(30, _operator(0), pool);
        vm.prank(stranger);
        _expect(IWorkforce.BadWorkerKey.selector, _worker(30));
        workforce.join(_worker(30), pool, 1, BOND, others);
        // The pool is signed too.
        bytes memory elsewhere = _workerKeySignature(30, stranger, pool + 1);
        vm.prank(stranger);
        _expect(IWorkforce.BadWorkerKey.selector, _worker(30));
        workforce.join(_worker(30), pool, 1, BOND, elsewhere);
    }

    function test_hole_27_aKeyHasOneOperatorForLife() public {
        vm.startPrank(_operator(0));
        workforce.leavePool(_worker(0));
        vm.warp(block.timestamp + 7 days);
        workforce.withdrawBond(_worker(0), BOND);
        vm.stopPrank();
        bytes memory signature = _workerKeySignature(0, _operator(1), pool);
        vm.prank(_operator(1));
        _expect(IWorkforce.KeyTaken.selector, _worker(0));
        workforce.join(_worker(0), pool, 1, BOND, signature);
    }

    function test_hole_29_ordersOfAFormerOwnerStayDeadWhenHeBuysBack() public {
        Offer memory offer = _sign(_offer());
        vm.prank(appOwner);
        IAsset(address(registry)).transferFrom(appOwner, stranger, app);
        vm.prank(stranger);
        IAsset(address(registry)).transferFrom(stranger, appOwner, app);
        bytes32 orderHash = market.hashAppOrder(offer.app);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongNonce.selector, orderHash, 0, 2));
        _match(offer);
    }

    function test_hole_29_payeeIsWhoOwnedAtTheMatch() public {
        Terms memory terms = _open(_offer());
        vm.prank(appOwner);
        IAsset(address(registry)).transferFrom(appOwner, stranger, app);
        _certifyBy(terms, 0, 3);
        vm.assertEq(_balance(appOwner), APP_PRICE);
        vm.assertEq(_balance(stranger), 0);
    }

    function test_hole_30_freeOrdersCanBeRestricted() public {
        Group group = new Group();
        Offer memory offer = _offer();
        offer.app.price = 0;
        offer.app.requesterRestrict = address(group);
        offer = _sign(offer);
        bytes32 orderHash = market.hashAppOrder(offer.app);
        vm.expectRevert(abi.encodeWithSelector(IMarket.Restricted.selector, orderHash, "requester"));
        _match(offer);
        group.setBurns(true);
        vm.expectRevert(abi.encodeWithSelector(IMarket.Restricted.selector, orderHash, "requester"));
        _match(offer);
        group.setBurns(false);
        group.set(requester, true);
        _match(offer);
    }

    function test_hole_30_aPermitThatSomebodyUsedFirstDoesNotStopTheMatch() public {
        vm.prank(requester);
        vault.withdraw(RICHES, requester);
        vm.prank(requester);
        token.approve(address(vault), 0);
        Offer memory offer = _sign(_offer());
        IVault.Permit memory permit = _permit(2e18);
        // The front-runner.
        IPermit(address(token)).permit(requester, address(vault), 2e18, permit.deadline, permit.v, permit.r, permit.s);
        _matchWithPermit(offer, permit);
        vm.assertEq(_balance(requester), 0);
    }

    function _permit(uint256 value) private view returns (IVault.Permit memory permit) {
        permit.value = value;
        permit.deadline = block.timestamp + 1000;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                requester,
                address(vault),
                value,
                token.nonces(requester),
                permit.deadline
            )
        );
        (permit.v, permit.r, permit.s) = vm.sign(REQUESTER_KEY, _digestOf(token.DOMAIN_SEPARATOR(), structHash));
    }

    function test_hole_36_aRequestIsTakenWholeAndOnce() public {
        Offer memory offer = _offerOf(10, 10);
        offer.pool.volume = 9;
        offer = _sign(offer);
        bytes32 orderHash = market.hashPoolOrder(offer.pool);
        vm.expectRevert(abi.encodeWithSelector(IMarket.OverVolume.selector, orderHash, 0, 9, 10));
        _match(offer);
        offer.pool.volume = 30;
        offer = _sign(offer);
        bytes32 dealId = _match(offer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RequestUsed.selector, dealId));
        _match(offer);
    }

    function test_hole_39_messagesToAnotherCertifierOrChainAreWorthless() public {
        Terms memory terms = _open(_offer());
        Draft memory draft = _draft(terms, 0, _all(0, 3, 0));
        vm.chainId(31338);
        vm.expectPartialRevert(ICertifier.BadEntry.selector);
        _post(draft);
    }

    function test_hole_40_aContractIsNoWorker() public {
        Wallet wallet = new Wallet(_worker(40));
        bytes memory signature = _workerKeySignature(40, _operator(0), pool);
        vm.prank(_operator(0));
        _expect(IWorkforce.BadWorkerKey.selector, address(wallet));
        workforce.join(address(wallet), pool, 1, BOND, signature);
    }
}

interface IPermit {
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
}

/// @title Attacks on delivery; numbers as in INVARIANTS.md
contract DeliveryHolesTest is Plays {
    TrickCallback private _callback;

    function setUp() public {
        _buildCity(5);
        _callback = new TrickCallback();
    }

    function _deal(uint32 tasks, bool finalOnly) private returns (Terms memory terms, CertifiedBatch memory done) {
        Offer memory offer = _offerOf(tasks, tasks);
        offer.request.callback = address(_callback);
        offer.request.callbackGas = 300_000;
        offer.request.policy.finalOnly = finalOnly;
        terms = _open(offer);
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(Receipts.rootOf(Receipts.make(tasks, 1000)), 1000 * tasks);
        done = _certify(_draftOf(terms, 0, claims, _all(0, 3, 0)));
    }

    /// @dev Delivers; external, so that the next call is the delivery.
    function deliver(Terms memory terms, CertifiedBatch memory done, uint256 index) public {
        Receipt[] memory receipts = Receipts.make(terms.taskCount, 1000);
        certifier.deliver(
            Receipts.parcelOf(terms, done.certificate, receipts[index]),
            Receipts.proofOf(receipts, index),
            Receipts.outputOf(index)
        );
    }

    function test_hole_09_aDisputeFreezesItsTaskOnly() public {
        (Terms memory terms, CertifiedBatch memory done) = _deal(3, true);
        vm.prank(requester);
        _openDispute(done, 1, 0);
        vm.warp(done.certificate.finalAt);
        this.deliver(terms, done, 0);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.Frozen.selector, 1));
        this.deliver(terms, done, 1);
        this.deliver(terms, done, 2);
    }

    function test_hole_18_aProofIsBoundToItsPosition() public {
        (Terms memory terms, CertifiedBatch memory done) = _deal(4, true);
        vm.warp(done.certificate.finalAt);
        Receipt[] memory receipts = Receipts.make(4, 1000);
        // Task 1's receipt with the path of task 0.
        bytes32[] memory proof = Receipts.proofOf(receipts, 0);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongReceipt.selector, 1));
        certifier.deliver(_parcel(terms, done, receipts[1]), proof, Receipts.outputOf(1));
        // An index beyond the batch, and a node in place of a leaf.
        receipts[1].index = 4;
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongReceipt.selector, 4));
        certifier.deliver(_parcel(terms, done, receipts[1]), proof, Receipts.outputOf(1));
        receipts[1].index = 1;
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongReceipt.selector, 1));
        certifier.deliver(_parcel(terms, done, receipts[1]), new bytes32[](1), Receipts.outputOf(1));
    }

    function test_hole_18_fuelIsBoundedByTheLock() public {
        Terms memory terms = _open(_offer());
        Claim[] memory claims = _claims();
        claims[0].fuel = FUEL_LIMIT + 1;
        Draft memory draft = _draftOf(terms, 0, claims, _all(0, 3, 0));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.BadClaim.selector, 0));
        certifier.certify(draft.terms, 0, draft.claims, draft.entries, draft.log);
    }

    function test_hole_23_deliveryWaitsForFinality() public {
        (Terms memory terms, CertifiedBatch memory done) = _deal(1, true);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooEarly.selector, done.certificate.finalAt));
        this.deliver(terms, done, 0);
        vm.warp(done.certificate.finalAt);
        this.deliver(terms, done, 0);
    }

    function test_hole_23_onlyOnceAlsoAfterARelease() public {
        (Terms memory terms, CertifiedBatch memory done) = _deal(1, false);
        this.deliver(terms, done, 0);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.AlreadyDelivered.selector, 0));
        this.deliver(terms, done, 0);
        vm.warp(done.certificate.finalAt);
        _release(terms, done);
        vm.assertTrue(certifier.delivered(terms.dealId, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.AlreadyDelivered.selector, 0));
        this.deliver(terms, done, 0);
    }

    function test_hole_23_aVoidCertificateIsNotDelivered() public {
        (Terms memory terms, CertifiedBatch memory done) = _deal(1, false);
        vm.startPrank(address(court));
        certifier.setStatus(done.certificate, Status.Disputed);
        certifier.setStatus(done.certificate, Status.Void);
        vm.stopPrank();
        vm.expectPartialRevert(bytes4(keccak256("WrongCertificate(bytes32,uint256)")));
        this.deliver(terms, done, 0);
    }

    function test_hole_24_aDelivererCannotStarveTheCallback() public {
        (Terms memory terms, CertifiedBatch memory done) = _deal(1, true);
        vm.warp(done.certificate.finalAt);
        vm.expectPartialRevert(ICertifier.GasTooLow.selector);
        this.deliver{gas: 320_000}(terms, done, 0);
        vm.assertFalse(certifier.delivered(terms.dealId, 0, 0));
        this.deliver(terms, done, 0);
        vm.assertGe(_callback.gasSeen(), 295_000);
    }

    function test_hole_24_callbackGasIsBounded() public {
        Offer memory offer = _offer();
        offer.request.callbackGas = 1_000_001;
        offer = _sign(offer);
        vm.expectRevert(
            abi.encodeWithSelector(IMarket.RequestOutOfBounds.selector, "callbackGas", 1_000_001, 0, 1_000_000)
        );
        market.matchOrders(offer.app, offer.dataset, offer.pool, offer.request, offer.signatures);
    }
}
