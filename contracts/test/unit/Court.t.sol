// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "../../src/interfaces/ICases.sol";
import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Case, CaseState, Hearing, Juror, Leaf, Receipt} from "../../src/types/Cases.sol";
import {Claim} from "../../src/types/Certificates.sol";
import {Receipts} from "../support/Receipts.sol";
import {Trials} from "../support/Trials.sol";
import {vm} from "../support/Vm.sol";

contract CourtTest is Trials {
    bytes32 private immutable right = _findingOf(_honest()[0]);
    bytes32 private immutable wrong = _findingOf(_lying(0)[0]);

    function setUp() public {
        _buildTrials();
    }

    /// @dev All tokens are still where they belong.
    function _assertConserved() private view {
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    function test_openDispute_itFreezesTheTaskAndTakesTheBond() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 1, wrong);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        vm.assertEq(_status(trial.terms, 0), DISPUTED);
        vm.assertTrue(court.frozen(trial.terms.dealId, 0, 1));
        vm.assertFalse(court.frozen(trial.terms.dealId, 0, 0));
        vm.assertEq(trial.record.facts.seats(), 10);
        vm.assertEq(trial.record.stakes.runtimeBond(), CITIZENS * BOND / UNIT);
    }

    function test_openDispute_givenLongWaves_itsWindowsAreAsLongButNotMoreThanFourHours() public {
        vm.assertEq(_windowGiven(1e10), 60 + TASKS * 1e10 / 1e8);
        vm.assertEq(_windowGiven(1e12), 4 hours);
    }

    /// @dev Window of a dispute of a deal with this fuel limit, at a low fee.
    function _windowGiven(uint64 fuelLimit) private returns (uint256) {
        Offer memory offer = _trialOffer();
        offer.request.fuelLimit = fuelLimit;
        offer.request.deadline = uint64(block.timestamp + 30 days);
        (offer.pool.feePerMfuel, offer.pool.minimumFee) = (1, 0);
        Trial memory trial = _certified(offer, _honest());
        _dispute(trial, 0, wrong);
        return trial.record.facts.window();
    }

    function test_openDispute_givenTheWindowIsOver_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 finalAt = trial.done.certificate.finalAt;
        vm.warp(finalAt);
        vm.prank(disputer);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooLate.selector, finalAt));
        _openDispute(trial.done, 0, 0);
    }

    function test_openDispute_givenNoSuchTask_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        vm.prank(disputer);
        vm.expectRevert(abi.encodeWithSelector(ICases.NoSuchTask.selector, 2, 2));
        _openDispute(trial.done, 2, 0);
    }

    function test_openDispute_givenTheTaskIsDisputed_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        vm.prank(disputer);
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.Open));
        _openDispute(trial.done, 0, 0);
    }

    function test_openDispute_givenNoMoney_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IVault.BalanceTooLow.selector, uint160(stranger), 0, DISPUTE_BOND));
        _openDispute(trial.done, 0, 0);
    }

    function test_finalize_givenUpheld_theBondPaysJurorsAndContributors() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 before = _fees(0);
        uint256 payer = _balance(requester);
        vm.assertTrue(_try(trial, _same(right, 2), _honest(), wrong) == CaseState.Upheld);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        for (uint256 i; i < 2; ++i) {
            vm.assertEq(_fees(trial.seated[i]), JUROR_FEE);
        }
        uint256 each = (DISPUTE_BOND - 2 * JUROR_FEE) / 3;
        vm.assertEq(_fees(0) - before, each);
        // What does not divide is the payer's.
        vm.assertEq(_balance(requester) - payer, DISPUTE_BOND - 2 * JUROR_FEE - 3 * each);
        vm.assertEq(_status(trial.terms, 0), PROVISIONAL);
        vm.assertFalse(court.frozen(trial.terms.dealId, 0, 0));
        _assertConserved();
        vm.warp(trial.done.certificate.finalAt);
        _release(trial.terms, trial.done);
        vm.assertEq(_status(trial.terms, 0), FINAL);
    }

    function test_finalize_givenOverturned_contributorsPayEverybody() public {
        Offer memory offer = _trialOffer();
        offer.request.policy.collateralMin = 60e18;
        Trial memory trial = _certified(offer, _lying(0));
        uint256 payer = _balance(requester);
        vm.assertTrue(_try(trial, _same(right, 6), _lying(0), right) == CaseState.Overturned);
        address[] memory contributors = new address[](3);
        for (uint256 i; i < 3; ++i) {
            contributors[i] = trial.done.members[i].worker();
        }
        _finalizeTaking(trial, contributors, 20_000);
        // Twenty of each contributor: a fifth burnt.
        vm.assertEq(_burnt(), 12e18);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_word(i).bond(), BOND / UNIT - 20_000);
        }
        vm.assertEq(_balance(disputer), 100e18 + 6e18);
        for (uint256 i; i < 6; ++i) {
            vm.assertEq(_fees(trial.seated[i]), JUROR_FEE);
        }
        vm.assertEq(_balance(requester) - payer, 48e18 - 6e18 - 6 * JUROR_FEE);
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    function test_finalize_givenNobodyDefends_theCertificateFalls() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        vm.assertTrue(_try(trial, _same(right, 6), _noReceipts(), right) == CaseState.Overturned);
        _finalize(trial);
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    function test_finalize_givenVoid_nobodyIsSlashed() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 payer = _balance(requester);
        uint256 net = _fees(0);
        // Nobody sits.
        vm.assertTrue(_try(trial, new bytes32[](0), _honest(), wrong) == CaseState.Void);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18);
        vm.assertEq(_balance(requester) - payer, 3 * net);
        for (uint256 i; i < 3; ++i) {
            // The fee leaves the stake, in whole units; the difference is its operator's.
            uint256 units = (net + UNIT - 1) / UNIT;
            vm.assertEq(_word(i).bond(), BOND / UNIT - units);
            vm.assertEq(_fees(i), net + units * UNIT - net);
        }
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    function test_finalize_givenVoidAndAnUnopenedSeal_theBondIsLost() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        bytes32[] memory findings = _same(right, 1);
        _disputeWithJury(trial, 0, wrong, 1);
        _sit(trial, findings);
        _hear(trial, findings, _noReceipts(), 0);
        vm.assertTrue(_decide(trial) == CaseState.Void);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        vm.assertEq(_fees(trial.seated[0]), JUROR_FEE);
        _assertConserved();
    }

    function test_finalize_givenAnotherFindingThanTheSeal_theBondComesBackAlone() public {
        Trial memory trial = _certified(_trialOffer(), _lying(0));
        bytes32 other = keccak256("neither");
        _disputeWithJury(trial, 0, other, 6);
        _sit(trial, _same(right, 6));
        _hear(trial, _same(right, 6), _lying(0), other);
        vm.assertTrue(_decide(trial) == CaseState.Overturned);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18);
        _assertConserved();
    }

    function test_finalize_givenWrongAndSilentJurors_theyAreSlashed() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        bytes32[] memory findings = _same(right, 4);
        findings[2] = wrong;
        findings[3] = 0;
        vm.assertTrue(_try(trial, findings, _honest(), wrong) == CaseState.Upheld);
        address[] memory jurors = new address[](2);
        (jurors[0], jurors[1]) = (_worker(trial.seated[2]), _worker(trial.seated[3]));
        _finalizeTaking(trial, jurors, JUROR_SLASH);
        for (uint256 i = 2; i < 4; ++i) {
            vm.assertEq(_word(trial.seated[i]).bond(), BOND / UNIT - JUROR_SLASH);
            vm.assertEq(_fees(trial.seated[i]), 0);
        }
        vm.assertEq(_burnt(), (2 * JUROR_SLASH * UNIT + 4) / 5);
        _assertConserved();
    }

    function test_finalize_givenDissentersInEscrow_theyGetItBack() public {
        (Trial memory trial, uint256[] memory who) = _split(_lying(0), _honest(), 4, 1);
        uint256 escrowed = trial.done.members[_indexOf(trial.done, who[4])].slash();
        vm.assertGt(escrowed, 0);
        vm.assertTrue(_try(trial, _same(right, 6), _lying(0), right) == CaseState.Overturned);
        _finalize(trial);
        vm.assertEq(_fees(who[4]), escrowed * UNIT);
        _assertConserved();
    }

    function test_finalize_givenItMayBeAppealed_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _try(trial, _same(right, 1), _honest(), wrong);
        Hearing[] memory hearings = new Hearing[](1);
        hearings[0] = _hearing(trial);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, trial.record.facts.appealEnd()));
        court.finalize(trial.terms, trial.done, hearings, trial.finding);
    }

    function test_decide_givenAJurorLeftOut_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        bytes32[] memory findings = _same(right, 3);
        _disputeWithJury(trial, 0, wrong, 3);
        _sit(trial, findings);
        _hear(trial, findings, _honest(), 0);
        Hearing memory hearing = _hearing(trial);
        Juror[] memory fewer = new Juror[](2);
        (fewer[0], fewer[1]) = (hearing.jurors[0], hearing.jurors[2]);
        hearing.jurors = fewer;
        vm.expectRevert(abi.encodeWithSelector(IJurors.WrongJury.selector, 2, 3));
        court.decide(trial.done.certificate, hearing);
    }

    function test_decide_givenTheRevealWindowIsOpen_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        Hearing memory hearing = _hearing(trial);
        vm.warp(trial.record.facts.revealEnd() - 1);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, trial.record.facts.revealEnd()));
        court.decide(trial.done.certificate, hearing);
    }

    // ---------------------------------------------------------------- jurors

    /// @dev A juror commits up to the last second of wave 2: in the next one findings are shown, and nobody may copy them.
    function test_commit_givenTheWindowsAreOver_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _disputeWithJury(trial, 0, wrong, 2);
        uint256 end = trial.record.facts.commitEnd();
        vm.warp(end - 1);
        vm.assertEq(_commitJuror(trial, _records(trial), trial.seated[0], right).word.wave(), 2);
        vm.warp(end);
        address worker = _worker(trial.seated[1]);
        vm.prank(worker);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooLate.selector, end));
        jury.commit(trial.terms, trial.done, _records(trial), worker, "late");
    }

    // ---------------------------------------------------------------- by a worker's stake

    function test_openDisputeAsWorker_givenASeatThatWasLeftOut_itsStakeAnswers() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 who = _leftOut(trial);
        uint256 slash = 2 * GROSS / UNIT;
        vm.recordLogs();
        vm.prank(_worker(who));
        court.openDisputeAsWorker(trial.terms, trial.done, 0, _seal(_worker(who), trial, 0, wrong), _worker(who));
        trial.record = _opened();
        _mine(1, 1);
        vm.assertEq(_exposure(who), slash);
        // Nobody sits: nothing is lost, because it showed what it had sealed.
        _hear(trial, new bytes32[](0), _noReceipts(), wrong);
        vm.assertTrue(_decide(trial) == CaseState.Void);
        uint256 bond = _word(who).bond();
        _finalize(trial);
        vm.assertEq(_word(who).bond(), bond);
        _assertConserved();
    }

    function test_openDisputeAsWorker_givenItIsWrong_itsStakePays() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 who = _leftOut(trial);
        for (uint256 i; i < 100; ++i) {
            vm.recordLogs();
            vm.prank(_operator(who));
            court.openDisputeAsWorker(trial.terms, trial.done, 0, 0, _worker(who));
            trial.record = _opened();
            _mine(1, 1);
            trial.seated = _jurySeats(trial.record, trial.done, 0);
            if (trial.seated.length != 0 && trial.seated[0] != who) break;
        }
        bytes32[] memory findings = _same(right, 1);
        _sit(trial, findings);
        _hear(trial, findings, _honest(), 0);
        vm.assertTrue(_decide(trial) == CaseState.Upheld);
        address[] memory opener = new address[](1);
        opener[0] = _worker(who);
        _finalizeTaking(trial, opener, 2 * GROSS / UNIT);
        vm.assertEq(_word(who).bond(), BOND / UNIT - 2 * GROSS / UNIT);
        vm.assertEq(_fees(trial.seated[0]), JUROR_FEE);
        _assertConserved();
    }

    function test_openDisputeAsWorker_givenTwoThatDissentAlike_oneOfThemMay() public {
        (Trial memory trial, uint256[] memory who) = _split(_honest(), _lying(0), 6, 2);
        vm.prank(_worker(who[6]));
        court.openDisputeAsWorker(trial.terms, trial.done, 0, 0, _worker(who[6]));
        vm.assertEq(_status(trial.terms, 0), DISPUTED);
    }

    function test_openDisputeAsWorker_givenNoPartInTheRound_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        // A contributor, and who had no seat.
        uint256 unseated = 3;
        while (_hasSeat(trial.terms, 0, unseated, 0)) ++unseated;
        uint256[2] memory who = [uint256(0), unseated];
        for (uint256 i; i < 2; ++i) {
            vm.prank(_worker(who[i]));
            _expect(ICourt.NotEntitled.selector, _worker(who[i]));
            court.openDisputeAsWorker(trial.terms, trial.done, 0, 0, _worker(who[i]));
        }
        // And somebody else than the worker or its operator.
        uint256 seated = _leftOut(trial);
        vm.prank(stranger);
        _expect(ICases.NotAllowed.selector, stranger);
        court.openDisputeAsWorker(trial.terms, trial.done, 0, 0, _worker(seated));
    }

    /// @dev A worker with a seat in the round that is no member.
    function _leftOut(Trial memory trial) private view returns (uint256 who) {
        who = 3;
        while (!_hasSeat(trial.terms, 0, who, 0)) ++who;
    }

    // ---------------------------------------------------------------- appeals

    function test_appeal_givenASecondJuryFindsOtherwise_itsVerdictIsTheLast() public {
        Trial memory trial = _certified(_trialOffer(), _lying(0));
        // A member's friend sits alone on the first jury.
        vm.assertTrue(_try(trial, _same(wrong, 1), _lying(0), right) == CaseState.Upheld);
        Trial memory second = _appeal(trial, right, 7);
        vm.assertEq(second.record.stakes.bond(), 2 * 11 * JUROR_FEE);
        Case[] memory records = new Case[](2);
        (records[0], records[1]) = (second.record, trial.record);
        _sitOn(second, records, _same(right, 7));
        _hear(second, _same(right, 7), _noReceipts(), right);
        vm.assertTrue(_decide(second) == CaseState.Overturned);
        _finalizeBoth(second, trial);
        // The first opener was right first: bond and reward. The second has its bond back.
        vm.assertEq(_balance(stranger), 100e18);
        vm.assertGt(_balance(disputer), 100e18);
        vm.assertEq(_word(trial.seated[0]).bond(), BOND / UNIT - JUROR_SLASH);
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    function test_appeal_givenASecondJuryConfirms_itsBondIsLostToo() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        vm.assertTrue(_try(trial, _same(right, 1), _honest(), wrong) == CaseState.Upheld);
        Trial memory second = _appeal(trial, wrong, 2);
        Case[] memory records = new Case[](2);
        (records[0], records[1]) = (second.record, trial.record);
        _sitOn(second, records, _same(right, 2));
        _hear(second, _same(right, 2), _honest(), wrong);
        vm.assertTrue(_decide(second) == CaseState.Upheld);
        _finalizeBoth(second, trial);
        vm.assertEq(_balance(stranger), 100e18 - 2 * 11 * JUROR_FEE);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        vm.assertEq(_status(trial.terms, 0), PROVISIONAL);
        _assertConserved();
    }

    function test_appeal_givenTheWindowIsOver_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _try(trial, _same(right, 1), _honest(), wrong);
        vm.warp(trial.record.facts.appealEnd());
        vm.expectRevert(abi.encodeWithSelector(ICases.TooLate.selector, trial.record.facts.appealEnd()));
        court.appeal(trial.terms, trial.done, trial.record, trial.finding, 0, address(0));
    }

    function test_appeal_givenAJurorOfTheFirstJury_itIsExcluded() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _try(trial, _same(right, 12), _honest(), wrong);
        for (uint256 i; i < 50; ++i) {
            uint256 state = vm.snapshotState();
            Trial memory second = _appeal(trial, wrong, 1);
            for (uint256 j; j < second.seated.length; ++j) {
                if (!_satOn(trial, second.seated[j])) continue;
                Case[] memory records = new Case[](2);
                (records[0], records[1]) = (second.record, trial.record);
                address worker = _worker(second.seated[j]);
                vm.prank(worker);
                _expect(IJurors.Excluded.selector, worker);
                jury.commit(second.terms, second.done, records, worker, 0);
                return;
            }
            vm.revertToState(state);
            _mine(1, 1);
        }
        revert("the lot is not so kind");
    }

    function _satOn(Trial memory trial, uint256 who) private view returns (bool) {
        for (uint256 i; i < trial.jurors.length; ++i) {
            if (trial.jurors[i].word.worker() == _worker(who)) return true;
        }
        return false;
    }

    /// @dev A stranger appeals when at least `count` that did not sit before get a seat.
    function _appeal(Trial memory first, bytes32 finding, uint256 count) private returns (Trial memory second) {
        (second.terms, second.done) = (first.terms, first.done);
        if (_balance(stranger) == 0) _fund(stranger, 100e18);
        for (uint256 i; i < 300; ++i) {
            uint256 state = vm.snapshotState();
            vm.recordLogs();
            vm.prank(stranger);
            court.appeal(
                first.terms, first.done, first.record, first.finding, _seal(stranger, first, 0, finding), address(0)
            );
            second.record = _opened();
            _mine(1, 0);
            second.seated = _jurySeats(second.record, second.done, 0);
            uint256 fresh;
            for (uint256 j; j < second.seated.length; ++j) {
                if (count == 1 || !_satOn(first, second.seated[j])) second.seated[fresh++] = second.seated[j];
            }
            if (fresh >= count) return second;
            vm.revertToState(state);
            _mine(1, 0);
        }
        revert("the lot is not so kind");
    }

    function _finalizeBoth(Trial memory second, Trial memory first) private {
        Hearing[] memory hearings = new Hearing[](2);
        (hearings[0], hearings[1]) = (_hearing(second), _hearing(first));
        court.finalize(second.terms, second.done, hearings, second.finding);
    }

    // ---------------------------------------------------------------- dismissal

    function test_dismiss_givenAnotherCaseVoidedTheBatch_theBondComesBack() public {
        Trial memory trial = _certified(_trialOffer(), _lying(0));
        _dispute(trial, 1, wrong);
        Case[] memory other = _records(trial);
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.Open));
        court.dismiss(other, 0);
        vm.assertTrue(_try(trial, _same(right, 6), _lying(0), right) == CaseState.Overturned);
        _finalize(trial);
        uint256 balance = _balance(disputer);
        court.dismiss(other, 0);
        vm.assertEq(_balance(disputer), balance + DISPUTE_BOND);
        vm.assertFalse(court.frozen(trial.terms.dealId, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.Closed));
        court.dismiss(other, 0);
        _assertConserved();
    }

    function test_finalize_givenAnotherCaseIsOpen_theBatchStaysDisputed() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 1, wrong);
        Trial memory other = trial;
        Case memory open = trial.record;
        vm.assertTrue(_try(trial, _same(right, 1), _honest(), wrong) == CaseState.Upheld);
        _finalize(trial);
        vm.assertEq(_status(trial.terms, 0), DISPUTED);
        // The other one was not settled: the batch is void.
        other.record = open;
        other.jurors = new Juror[](0);
        vm.assertTrue(_decide(other) == CaseState.Void);
        _finalize(other);
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    // ---------------------------------------------------------------- proofs

    function test_disprove_givenLeavesThatContradict_theCertificateFallsAtOnce() public {
        for (uint256 kind; kind < 5; ++kind) {
            Receipt[] memory receipts = _honest();
            uint256 path;
            if (kind == 0) (receipts[1].index, path) = (0, 1);
            else if (kind == 1) (receipts[1].cumulativeFuel, path) = (TASKS * FUEL - 1, 1);
            else if (kind == 2) receipts[0].cumulativeFuel = 1;
            else if (kind == 3) (receipts[0].fuel, receipts[0].cumulativeFuel) = (FUEL_LIMIT + 1, FUEL_LIMIT + 1);
            else receipts[1].fuel = 1;
            Trial memory trial = _certified(_trialOffer(), receipts);
            uint256 before = _balance(stranger);
            Leaf[] memory leaves = new Leaf[](kind == 4 ? 2 : 1);
            for (uint256 i; i < leaves.length; ++i) {
                leaves[i] = Leaf(path + i, receipts[path + i], Receipts.proofOf(receipts, path + i));
            }
            uint256 bonds = _word(0).bond() + _word(1).bond() + _word(2).bond();
            vm.expectEmit(address(court));
            emit ICourt.Disproved(trial.terms.dealId, 0, path, stranger);
            vm.prank(stranger);
            court.disprove(trial.terms, trial.done, leaves);
            vm.assertEq(_status(trial.terms, 0), VOID);
            // A tenth of what the contributors lose.
            uint256 lost = bonds - _word(0).bond() - _word(1).bond() - _word(2).bond();
            vm.assertEq(_balance(stranger) - before, lost * UNIT / 10);
            vm.assertEq(token.balanceOf(address(vault)), _wealth());
        }
    }

    function test_disprove_givenTheWindowIsOver_itReverts() public {
        Receipt[] memory receipts = _honest();
        receipts[1].index = 0;
        Trial memory trial = _certified(_trialOffer(), receipts);
        Leaf[] memory leaves = new Leaf[](1);
        leaves[0] = Leaf(1, receipts[1], Receipts.proofOf(receipts, 1));
        uint256 finalAt = trial.done.certificate.finalAt;
        vm.warp(finalAt);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooLate.selector, finalAt));
        court.disprove(trial.terms, trial.done, leaves);
        vm.warp(finalAt - 1);
        court.disprove(trial.terms, trial.done, leaves);
        vm.assertEq(_status(trial.terms, 0), VOID);
    }

    function test_disprove_givenAnHonestBatch_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        Receipt[] memory receipts = _honest();
        Leaf[] memory leaves = new Leaf[](1);
        for (uint256 i; i < TASKS; ++i) {
            leaves[0] = Leaf(i, receipts[i], Receipts.proofOf(receipts, i));
            vm.expectRevert(ICourt.NoFault.selector);
            court.disprove(trial.terms, trial.done, leaves);
        }
        leaves[0].receipt.fuel += 1;
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongReceipt.selector, 1));
        court.disprove(trial.terms, trial.done, leaves);
        receipts = _honest();
        leaves = new Leaf[](2);
        for (uint256 i; i < TASKS; ++i) {
            leaves[i] = Leaf(i, receipts[i], Receipts.proofOf(receipts, i));
        }
        vm.expectRevert(ICourt.NoFault.selector);
        court.disprove(trial.terms, trial.done, leaves);
    }

    // ---------------------------------------------------------------- audits

    function test_openAudit_givenTheSeedAsksForIt_contributorsEarnReputation() public {
        (Trial memory trial, uint256 index) = _audited(_honest());
        uint256 fees = vault.protocolFeesOf(pool);
        _openAudit(trial, index);
        // A juror's fee for each seat, or what the protocol had earned in the deal's pool.
        uint256 most = trial.record.facts.seats() * JUROR_FEE;
        vm.assertEq(trial.record.stakes.bond(), fees < most ? fees : most);
        vm.assertEq(trial.record.stakes.pool(), pool);
        vm.assertEq(vault.protocolFeesOf(pool), fees - trial.record.stakes.bond());
        bytes32 found = _findingOf(_honest()[index]);
        _sit(trial, _same(found, 1));
        _hear(trial, _same(found, 1), _honest(), 0);
        vm.assertTrue(_decide(trial) == CaseState.Upheld);
        _finalize(trial);
        // A twentieth of each execution is the protocol's: a point for each thousandth of a token, as many as the step at most.
        uint256 points = 3 * (GROSS / 20) / UNIT;
        if (points > 100) points = 100;
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_word(i).reputation(), points);
        }
        // What the protocol had earned pays the juror as far as it goes; the rest went back.
        vm.assertEq(_fees(trial.seated[0]) + vault.protocolFeesOf(pool), fees);
        vm.assertEq(_status(trial.terms, 0), PROVISIONAL);
        _assertConserved();
        vm.expectRevert(abi.encodeWithSelector(ICourt.Audited.selector, index));
        court.openAudit(trial.done);
    }

    function test_openAudit_givenItDisagrees_theCertificateFalls() public {
        Receipt[] memory lies = _lying(0);
        lies[1].outputDigest = keccak256("another lie");
        (Trial memory trial, uint256 index) = _audited(lies);
        _openAudit(trial, index);
        bytes32 found = _findingOf(_honest()[index]);
        _sit(trial, _same(found, 6));
        _hear(trial, _same(found, 6), lies, 0);
        vm.assertTrue(_decide(trial) == CaseState.Overturned);
        uint256 before = _balance(stranger);
        _finalize(trial);
        vm.assertGt(_balance(stranger), before);
        vm.assertEq(_word(0).reputation(), 0);
        _assertConserved();
    }

    function test_openAudit_givenTheSeedDoesNotAsk_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        while (_drawOf(trial) >> 252 == 0) {
            trial = _certified(_trialOffer(), _honest());
        }
        bytes32 draw = bytes32(_drawOf(trial));
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotDrawn.selector, draw));
        court.openAudit(trial.done);
    }
}
