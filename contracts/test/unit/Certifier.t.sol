// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IRecourse} from "../../src/interfaces/IRecourse.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {CertifiedBatch, Claim, LogItem, Status} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Plays} from "../support/Plays.sol";
import {Vm, vm} from "../support/Vm.sol";

contract CertifyTest is Plays {
    LogItem[] private _none;

    function setUp() public {
        _buildCity(5);
    }

    function test_certify_givenThreeAgree_itPaysEverybodyAndRefundsTheRest() public {
        uint256 before = _balance(requester);
        Terms memory terms = _open(_withDataset(_offer()));
        CertifiedBatch memory done = _certifyBy(terms, 0, 3);
        uint256 gross = uint256(FUEL) * FEE / 1e6;
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_fees(i), gross - gross / 10 - gross / 20);
        }
        vm.assertEq(_balance(appOwner), APP_PRICE);
        vm.assertEq(_balance(datasetOwner), DATASET_PRICE);
        vm.assertEq(vault.balanceOf(Accounts.ofPool(pool)), 3 * gross / 10);
        vm.assertEq(vault.protocolFeesOf(pool), 3 * gross / 20);
        vm.assertEq(before - _balance(requester), 3 * gross + APP_PRICE + DATASET_PRICE);
        vm.assertEq(done.certificate.odds, 64_000_000);
        vm.assertEq(done.certificate.root, RIGHT);
        vm.assertEq(done.certificate.finalAt, block.timestamp + 1 hours);
        vm.assertEq(_status(terms, 0), PROVISIONAL);
    }

    function test_certify_givenMoreAgreeThanArePaid_itPaysReplicasMax() public {
        Offer memory offer = _offer();
        offer.request.policy.replicasMax = 3;
        Terms memory terms = _open(offer);
        CertifiedBatch memory done = _certifyBy(terms, 0, 5);
        uint256 paid;
        for (uint256 i; i < 5; ++i) {
            if (_fees(i) != 0) ++paid;
            vm.assertGt(_exposure(i), 0);
        }
        vm.assertEq(paid, 3);
        vm.assertEq(done.certificate.seats, 5);
    }

    /// @dev All fuel of the limit is used and all that may be paid are: what is left of the lock is what rounding it up added.
    function test_certify_givenARefundOfOneBaseUnit_thePayerHasIt() public {
        Offer memory offer = _offer();
        offer.request.policy.confidence = 4;
        (offer.request.policy.replicasMin, offer.request.policy.replicasMax) = (1, 1);
        (offer.pool.feePerMfuel, offer.request.feePerMfuelMax) = (FEE + 1, FEE + 1);
        uint64 fuel = FUEL_LIMIT + 1;
        offer.request.fuelLimit = fuel;
        (Terms memory terms, uint256[] memory seated) = _openWithSeats(offer, 5, 1);
        uint256 gross = uint256(fuel) * (FEE + 1) / 1e6;
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(RIGHT, fuel);
        uint256 locked = _balance(requester);
        _certify(_draftOf(terms, 0, claims, _some(seated, 0, 1, 0)));
        vm.assertEq(_lockOf(terms, 1), gross + APP_PRICE + 1);
        vm.assertEq(_balance(requester) - locked, 1);
    }

    function test_certify_givenADissenter_itSlashesIt() public {
        Terms memory terms = _open(_offer());
        Draft memory draft = _draft(terms, 0, _both(_all(0, 4, 0), _all(4, 1, 1)));
        vm.expectEmit(address(certifier));
        emit ICertifier.Slashed(terms.dealId, 0, _worker(4), 80);
        vm.recordLogs();
        _post(draft);
        vm.assertEq(_word(4).bond(), BOND / UNIT - 80);
        // Nobody else is named.
        uint256 slashed;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == ICertifier.Slashed.selector) ++slashed;
        }
        vm.assertEq(slashed, 1);
    }

    function test_certify_givenTwoWaves_theLaterWeighsLess() public {
        Terms memory terms = _open(_offer());
        vm.warp(terms.opened.time() + _patience(terms));
        Play[] memory plays = _all(0, 4, 0);
        plays[3].wave = 1;
        CertifiedBatch memory done = _certify(_draft(terms, 0, plays));
        vm.assertEq(done.certificate.odds, 96_000_000);
    }

    function test_certify_givenReputationCounts_itWeighsMore() public {
        for (uint256 i; i < 3; ++i) {
            vm.prank(address(court));
            workforce.earn(_worker(i), pool, 100);
        }
        Offer memory offer = _offer();
        offer.request.policy.countReputation = true;
        Terms memory terms = _open(offer);
        // epsilon 0.1: nine each.
        vm.assertEq(_certifyBy(terms, 0, 3).certificate.odds, 729_000_000);
        offer.request.taskCount = 2;
        offer.request.batchSize = 2;
        offer.request.salt = "an audit looks at one of two";
        terms = _open(offer);
        vm.assertEq(_certifyBy(terms, 0, 3).certificate.odds, 274_625_000);
        offer.request.policy.countReputation = false;
        offer.request.salt = "fresh weights";
        terms = _open(offer);
        vm.assertEq(_certifyBy(terms, 0, 3).certificate.odds, 64_000_000);
    }

    function test_certify_givenALostSeat_itIsListedAsLostAndOpposes() public {
        Terms memory terms = _open(_offer());
        _fund(_operator(4), UNIT);
        Draft memory early = _draft(terms, 0, _both(_all(0, 4, 0), _all(4, 1, LOST)));
        _expect(ICertifier.SeatNotLost.selector, _worker(4));
        _post(early);
        vm.prank(_operator(4));
        workforce.addBond(_worker(4), UNIT);
        CertifiedBatch memory done = _certify(early);
        vm.assertEq(done.certificate.odds, 51_200_000);
        vm.assertEq(done.members[_indexOf(done, 4)].slash(), 80);
    }

    function test_certify_givenClaimsThatNobodyMakesOrTwice_itReverts() public {
        Terms memory terms = _open(_offer());
        Draft memory draft = _draft(terms, 0, _all(0, 3, 0));
        draft.claims = _claims();
        vm.expectRevert(abi.encodeWithSelector(ICertifier.BadClaim.selector, 1));
        _post(draft);
        draft.claims[1] = draft.claims[0];
        vm.expectRevert(abi.encodeWithSelector(ICertifier.BadClaim.selector, 1));
        _post(draft);
        draft.claims = new Claim[](0);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.BadClaim.selector, 0));
        _post(draft);
    }

    function test_certify_givenAnUnknownClaim_itReverts() public {
        Terms memory terms = _open(_offer());
        Draft memory draft = _draft(terms, 0, _all(0, 3, 0));
        draft.entries[0].word |= uint256(7) << 8;
        vm.expectPartialRevert(ICertifier.UnknownClaim.selector);
        _post(draft);
    }

    function test_certify_givenNobodyAgrees_itReverts() public {
        Terms memory terms = _open(_offer());
        Draft memory draft = _draft(terms, 0, _all(0, 3, BARE));
        draft.claims = _first(_claims(), 1);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooFewOperators.selector, 0, 3));
        _post(draft);
    }

    function test_certify_givenARoundInTwoParts_onChainAndOff() public {
        Terms memory terms = _open(_offer());
        LogItem[] memory log = _commitOnChain(terms, 0, _none, 3, _claims()[0]);
        log = _commitOnChain(terms, 0, log, 4, _claims()[0]);
        log = _revealOnChain(terms, 0, log, 0, 3, _claims()[0]);
        log = _revealOnChain(terms, 0, log, 1, 4, _claims()[0]);
        Draft memory draft = _draft(terms, 0, _all(0, 2, 0));
        draft.log = log;
        CertifiedBatch memory done = _certify(draft);
        vm.assertEq(done.certificate.seats, 4);
        vm.assertGt(_fees(3), 0);
    }

    function test_certify_givenAnEntryThatStandsOnChain_itNeedsNoSignature() public {
        Terms memory terms = _open(_offer());
        LogItem[] memory log = _commitOnChain(terms, 0, _none, 2, _claims()[0]);
        log = _revealOnChain(terms, 0, log, 0, 2, _claims()[0]);
        Play[] memory plays = _all(0, 3, 0);
        plays[2].onChain = true;
        Draft memory draft = _draft(terms, 0, plays);
        // Without the reveal in the log it stands nowhere.
        _expect(ICertifier.BadEntry.selector, _worker(2));
        _post(draft);
        draft.log = log;
        vm.assertEq(_certify(draft).certificate.seats, 3);
    }

    function test_certify_givenNoCoordinatorAtAll_theChainIsEnough() public {
        Offer memory offer = _offer();
        offer.request.policy.collateralMin = 30e18;
        Terms memory terms = _open(offer);
        LogItem[] memory log;
        for (uint256 i; i < 3; ++i) {
            log = _commitOnChain(terms, 0, log, i, _claims()[0]);
        }
        for (uint256 i; i < 3; ++i) {
            log = _revealOnChain(terms, 0, log, i, i, _claims()[0]);
        }
        Draft memory draft = _draft(terms, 0, new Play[](0));
        draft.claims = _first(_claims(), 1);
        draft.log = log;
        CertifiedBatch memory done = _certify(draft);
        vm.assertEq(done.certificate.seats, 3);
        vm.assertGe(done.certificate.stake, 30e18);
    }

    function test_certifyMany_itIsAllOrNothing() public {
        Terms memory terms = _open(_offerOf(3, 1));
        ICertifier.Submission[] memory batches = new ICertifier.Submission[](3);
        for (uint256 i; i < 3; ++i) {
            Draft memory draft = _draft(terms, i, _all(0, 3, 0));
            batches[i] = ICertifier.Submission(i, draft.claims, draft.entries, draft.log);
        }
        uint256 right = batches[2].batch;
        batches[2].batch = 0;
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongStatus.selector, Status.Provisional));
        certifier.certifyMany(terms, batches);
        vm.assertEq(_status(terms, 0), OPEN);
        batches[2].batch = right;
        certifier.certifyMany(terms, batches);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_status(terms, i), PROVISIONAL);
        }
    }

    function test_commit_whenAnotherPosts_itNeedsTheWorkersSignature() public {
        Terms memory terms = _open(_offer());
        bytes32 roundId = _roundId(terms, 0);
        bytes32 commitment = _commitment(0, roundId, _claims()[0]);
        (bytes32 r, bytes32 vs) = _signMessage(_workerKey(0), _commitmentHash(roundId, 0, commitment));
        _expect(ICertifier.BadEntry.selector, _worker(1));
        certifier.commit(terms, 0, _none, _worker(1), commitment, abi.encodePacked(r, vs));
        certifier.commit(terms, 0, _none, _worker(0), commitment, abi.encodePacked(r, vs));
        vm.assertEq(_exposure(0), 200);
    }

    function test_commit_givenNoSeat_itReverts() public {
        _join(6, 6, BOND);
        Terms memory terms = _open(_offer());
        vm.prank(_worker(6));
        _expect(ICertifier.NoSeat.selector, _worker(6));
        certifier.commit(terms, 0, _none, _worker(6), "x", "");
    }

    function test_commit_givenNoRoomForItsSlash_itReverts() public {
        Offer memory offer = _offer();
        // Twice the fee at the limit is 60 tokens, half a bond is 50.
        offer.request.fuelLimit = 3_000_000_000;
        Terms memory terms = _open(offer);
        vm.prank(_worker(0));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.ExposureTooHigh.selector, _worker(0), 60_000, 50_000));
        certifier.commit(terms, 0, _none, _worker(0), "x", "");
    }

    /// @dev 30 tokens of a bond of 100 are at risk, and 20 more may be: half of it.
    function test_certify_givenAWorkerWhoseExposureWouldPassHalfItsBond_itReverts() public {
        _certifyWithCollateral(90e18);
        Offer memory offer = _offer();
        offer.request.policy.collateralMin = 60e18 + 3 * uint96(UNIT);
        Draft memory draft = _draft(_open(offer), 0, _all(0, 3, 0));
        address first = address(uint160(draft.entries[0].word >> 96));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.ExposureTooHigh.selector, first, 20_001, 20_000));
        _post(draft);
        _certifyWithCollateral(60e18);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_exposure(i), 50_000);
        }
        // Not a unit more, on chain neither.
        Terms memory terms = _open(_offer());
        vm.prank(_worker(0));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.ExposureTooHigh.selector, _worker(0), 200, 0));
        certifier.commit(terms, 0, _none, _worker(0), "x", "");
    }

    function _certifyWithCollateral(uint96 collateral) private returns (CertifiedBatch memory) {
        Offer memory offer = _offer();
        offer.request.policy.collateralMin = collateral;
        return _certifyBy(_open(offer), 0, 3);
    }

    /// @dev The unbonding is over, the time at risk is not: of a bond of 100 tokens 30 stand behind a certificate, so 60 stay.
    function test_withdrawBond_givenStakeBehindACertificate_itReverts() public {
        _certifyWithCollateral(90e18);
        address worker = _worker(0);
        vm.startPrank(_operator(0));
        workforce.leavePool(worker);
        vm.warp(block.timestamp + 7 days);
        vm.assertGe(block.timestamp, workforce.readyAt(worker));
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.ExposureExceeded.selector, worker, 30_000, 0));
        workforce.withdrawBond(worker, BOND);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.ExposureExceeded.selector, worker, 30_000, 59_999));
        workforce.withdrawBond(worker, 40e18 + UNIT);
        workforce.withdrawBond(worker, 40e18);
        // At the end of the next bucket nothing is at risk any more.
        vm.warp((block.timestamp / 5 days + 1) * 5 days - 1);
        vm.expectRevert(abi.encodeWithSelector(IWorkforce.ExposureExceeded.selector, worker, 30_000, 0));
        workforce.withdrawBond(worker, 60e18);
        vm.warp(block.timestamp + 1);
        workforce.withdrawBond(worker, 60e18);
        vm.stopPrank();
        vm.assertEq(_word(0).bond(), 0);
    }

    function test_reveal_twice_itReverts() public {
        Terms memory terms = _open(_offer());
        LogItem[] memory log = _commitOnChain(terms, 0, _none, 0, _claims()[0]);
        log = _revealOnChain(terms, 0, log, 0, 0, _claims()[0]);
        bytes32 roundId = _roundId(terms, 0);
        _expect(ICertifier.RevealedOnChain.selector, _worker(0));
        certifier.reveal(terms.dealId, 0, roundId, log, 0, RIGHT, FUEL, _ownTrace(0, roundId));
    }

    function test_reveal_givenAFalseLog_itReverts() public {
        Terms memory terms = _open(_offer());
        LogItem[] memory log = _commitOnChain(terms, 0, _none, 0, _claims()[0]);
        bytes32 roundId = _roundId(terms, 0);
        log[0].a = keccak256("forged");
        vm.expectPartialRevert(ICertifier.WrongLog.selector);
        certifier.reveal(terms.dealId, 0, roundId, log, 0, RIGHT, FUEL, _ownTrace(0, roundId));
    }

    function test_expire_givenADealOfOneBatch_itClosesTheDeal() public {
        Terms memory terms = _open(_offer());
        vm.warp(terms.deadline + 601);
        vm.expectEmit(address(certifier));
        emit ICertifier.BatchExpired(terms.dealId, 0, RICHES - _balance(requester), 0);
        certifier.expire(terms, 0, 0, _none);
        vm.assertEq(_balance(requester), RICHES);
        (bytes32 stored,) = market.deal(terms.dealId, 0);
        vm.assertEq(stored, bytes32(uint256(1)));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongTerms.selector, terms.dealId));
        certifier.expire(terms, 0, 0, _none);
    }

    /// @dev Workers 0 to `count - 1` reveal on chain and the batch expires; the first `paid` of them are paid for `fuel`, nobody else.
    function _expireRevealed(Terms memory terms, uint256 count, uint64 fuel, uint256 paid) private {
        LogItem[] memory log;
        Claim memory claim = Claim(RIGHT, fuel);
        for (uint256 i; i < count; ++i) {
            log = _commitOnChain(terms, 0, log, i, claim);
        }
        for (uint256 i; i < count; ++i) {
            log = _revealOnChain(terms, 0, log, i, i, claim);
        }
        bytes32 roundId = _roundId(terms, 0);
        vm.warp(terms.deadline + 601);
        uint256 gross = uint256(fuel) * FEE / 1e6;
        uint256 net = gross - gross / 10 - gross / 20;
        vm.expectEmit(address(certifier));
        emit ICertifier.BatchExpired(terms.dealId, 0, _lockOf(terms, 1) - paid * net, paid * net);
        certifier.expire(terms, 0, roundId, log);
        for (uint256 i; i < count; ++i) {
            vm.assertEq(_fees(i), i < paid ? net : 0);
        }
    }

    function test_expire_givenMoreRevealsThanArePaid_itPaysReplicasMax() public {
        Offer memory offer = _offer();
        offer.request.policy.replicasMax = 3;
        _expireRevealed(_open(offer), 4, FUEL_LIMIT, 3);
    }

    function test_expire_givenRevealsAboveTheFuelLimit_itPaysNobody() public {
        _expireRevealed(_open(_offer()), 3, FUEL_LIMIT + 1, 0);
    }

    function test_expire_givenFewerRevealsThanReplicasMin_itPaysNobody() public {
        _expireRevealed(_open(_offer()), 2, FUEL, 0);
    }

    function test_reopen_givenTheDeadlineIsNear_itReverts() public {
        Terms memory terms = _open(_offer());
        vm.warp(terms.deadline - 30);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.DeadlinePassed.selector, terms.deadline));
        certifier.reopen(terms, 0);
    }

    function test_courtsHooks_whenOthersCall_itReverts() public {
        Terms memory terms = _open(_offer());
        CertifiedBatch memory done = _certifyBy(terms, 0, 3);
        _expect(ICertifier.NotAllowed.selector, address(this));
        certifier.setStatus(done.certificate, Status.Void);
        _expect(ICertifier.NotAllowed.selector, address(this));
        certifier.rewrite(terms.dealId, 0, 0);
    }

    function test_setStatus_itFollowsTheDrawnTransitions() public {
        Terms memory terms = _open(_offer());
        CertifiedBatch memory done = _certifyBy(terms, 0, 3);
        vm.startPrank(address(court));
        Status[5] memory no = [Status.Open, Status.Final, Status.Void, Status.Reopened, Status.Expired];
        for (uint256 i; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongStatus.selector, PROVISIONAL));
            certifier.setStatus(done.certificate, no[i]);
        }
        Status[4] memory drawn = [Status.Disputed, Status.Provisional, Status.Disputed, Status.Final];
        for (uint256 i; i < 4; ++i) {
            vm.expectEmit(address(certifier));
            emit ICertifier.StatusChanged(terms.dealId, 0, drawn[i]);
            certifier.setStatus(done.certificate, drawn[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongStatus.selector, FINAL));
        certifier.setStatus(done.certificate, Status.Void);
        vm.stopPrank();
    }

    function test_statusOf_isFinalWhenTheWindowIsOver() public {
        Terms memory terms = _open(_offer());
        CertifiedBatch memory done = _certifyBy(terms, 0, 3);
        vm.assertEq(uint8(certifier.statusOf(done.certificate)), PROVISIONAL);
        vm.warp(done.certificate.finalAt);
        vm.assertEq(uint8(certifier.statusOf(done.certificate)), FINAL);
    }
}

contract RecourseTest is Plays {
    Terms private _terms;

    function setUp() public {
        _buildCity(5);
        _terms = _open(_offer());
    }

    /// @dev Four agree; worker 4 was silent, and had committed to claim `hidden`.
    function _withSilent(uint8 hidden) private returns (CertifiedBatch memory) {
        Play[] memory silent = _all(4, 1, BARE);
        silent[0].hidden = hidden;
        return _certify(_draft(_terms, 0, _both(_all(0, 4, 0), silent)));
    }

    function show(CertifiedBatch memory done, uint256 index, uint256 who, Claim memory claim) external {
        _show(_terms, done, index, who, claim);
    }

    function release(CertifiedBatch memory done) external {
        _release(_terms, done);
    }

    function test_show_givenAnAgreeingOne_itGetsItsSlashBackOnce() public {
        CertifiedBatch memory done = _withSilent(0);
        uint256 index = _indexOf(done, 4);
        this.show(done, index, 4, _claims()[0]);
        vm.assertEq(_fees(4), 80 * UNIT);
        // The certificate has changed: what was shown is used up.
        vm.expectPartialRevert(bytes4(keccak256("WrongCertificate(bytes32,uint256)")));
        this.show(done, index, 4, _claims()[0]);
        vm.expectPartialRevert(bytes4(keccak256("WrongCertificate(bytes32,uint256)")));
        this.release(done);
    }

    function test_show_givenAnotherOpening_itReverts() public {
        CertifiedBatch memory done = _withSilent(0);
        uint256 index = _indexOf(done, 4);
        _expect(IRecourse.WrongOpening.selector, _worker(4));
        this.show(done, index, 4, _claims()[1]);
        uint256 first = _indexOf(done, 0);
        _expect(IRecourse.WrongOpening.selector, _worker(0));
        this.show(done, first, 0, _claims()[0]);
    }

    function test_show_afterTheWindow_itReverts() public {
        CertifiedBatch memory done = _withSilent(0);
        uint256 index = _indexOf(done, 4);
        vm.warp(done.certificate.finalAt);
        vm.expectRevert(abi.encodeWithSelector(IRecourse.TooLate.selector, done.certificate.finalAt));
        this.show(done, index, 4, _claims()[0]);
    }

    function test_show_givenARival_itsSlashStaysInEscrow() public {
        CertifiedBatch memory done = _withSilent(1);
        this.show(done, _indexOf(done, 4), 4, _claims()[1]);
        vm.assertEq(_fees(4), 0);
    }

    function test_release_givenOtherTerms_itReverts() public {
        CertifiedBatch memory done = _withSilent(0);
        vm.warp(done.certificate.finalAt);
        _terms.payer = stranger;
        vm.expectRevert(abi.encodeWithSelector(IRecourse.WrongTerms.selector, _terms.dealId));
        this.release(done);
    }

    function test_release_givenOtherMembers_itReverts() public {
        CertifiedBatch memory done = _withSilent(0);
        vm.warp(done.certificate.finalAt);
        done.members[0] = done.members[1];
        vm.expectPartialRevert(bytes4(keccak256("WrongCertificate(bytes32,uint256)")));
        this.release(done);
    }

    function test_release_givenNoSlashes_itMakesTheBatchFinal() public {
        CertifiedBatch memory done = _certifyBy(_terms, 0, 3);
        vm.warp(done.certificate.finalAt);
        vm.expectEmit(address(recourse));
        emit IRecourse.Released(_terms.dealId, 0, 0, 0, 0);
        this.release(done);
        vm.assertEq(_status(_terms, 0), FINAL);
    }

    function test_release_givenADisputedBatch_itReverts() public {
        CertifiedBatch memory done = _withSilent(0);
        vm.prank(address(court));
        certifier.setStatus(done.certificate, Status.Disputed);
        vm.warp(done.certificate.finalAt);
        vm.expectRevert(abi.encodeWithSelector(IRecourse.WrongStatus.selector, DISPUTED));
        this.release(done);
    }
}
