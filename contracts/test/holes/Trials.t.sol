// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "../../src/interfaces/ICases.sol";
import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {IRecourse} from "../../src/interfaces/IRecourse.sol";
import {ISeed} from "../../src/interfaces/ISeed.sol";
import {Case, CaseState, Juror, Receipt} from "../../src/types/Cases.sol";
import {LogItem, Status} from "../../src/types/Certificates.sol";
import {Receipts} from "../support/Receipts.sol";
import {Trials} from "../support/Trials.sol";
import {vm} from "../support/Vm.sol";

/// @title Holes that disputes, audits and juries close
contract TrialHolesTest is Trials {
    bytes32 private immutable right = _findingOf(_honest()[0]);
    bytes32 private immutable wrong = _findingOf(_lying(0)[0]);

    function setUp() public {
        _buildTrials();
    }

    function _assertConserved() private view {
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    /// @dev Nothing that a juror could copy is on chain before it has committed: neither what the opener says nor what the
    /// certificate says of the task.
    function test_hole_04_aJurySeesNoReceiptBeforeItCommits() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        uint256 notBefore = trial.record.facts.commitEnd();
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, notBefore));
        jury.openSeal(trial.record, wrong, SALT);
        Receipt[] memory receipts = _honest();
        bytes32[] memory proof = Receipts.proofOf(receipts, 0);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, notBefore));
        jury.showReceipt(trial.terms, trial.done.certificate, trial.record, receipts[0], proof);
        vm.warp(notBefore);
        // Nor does anything else than what was sealed open the seal.
        _expect(IJurors.WrongOpening.selector, disputer);
        jury.openSeal(trial.record, right, SALT);
        jury.openSeal(trial.record, wrong, SALT);
    }

    /// @dev A commitment names its juror and the juror's own trace, so a copied one opens for nobody.
    function test_hole_04_aCopiedCommitmentOpensForNobody() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _disputeWithJury(trial, 0, wrong, 2);
        Juror memory first = _commitJuror(trial, _records(trial), trial.seated[0], right);
        address copier = _worker(trial.seated[1]);
        vm.recordLogs();
        vm.prank(copier);
        jury.commit(trial.terms, trial.done, _records(trial), copier, first.finding);
        Juror memory copy = abi.decode(_dataOf(IJurors.JurorCommitted.selector), (Juror));
        vm.warp(trial.record.facts.commitEnd());
        _revealJuror(trial.record, first, right);
        bytes32 trace = _jurorTrace(trial.seated[0], _idOf(trial.record));
        _expect(IJurors.WrongOpening.selector, copier);
        jury.reveal(trial.record, copy, right, trace);
    }

    /// @dev Fees and prices have left when the certificate falls; the payer is made whole out of stake all the same.
    function test_hole_07_anOverturnedCertificateRepaysThePayerFirst() public {
        Trial memory trial = _certified(_trialOffer(), _lying(0));
        for (uint256 i; i < 3; ++i) {
            vm.prank(_operator(i));
            workforce.collectOperatorFees();
        }
        uint256 payer = _balance(requester);
        vm.assertTrue(_try(trial, _same(right, 6), _lying(0), right) == CaseState.Overturned);
        _finalize(trial);
        vm.assertGe(_balance(requester) - payer, 3 * GROSS + TASKS * uint256(APP_PRICE));
        // A fifth of what they lost is nobody's.
        vm.assertGt(_burnt(), 0);
        _assertConserved();
    }

    function test_hole_09_aDisputeOfOneTaskLeavesTheOthersOpenToDispute() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        _dispute(trial, 1, wrong);
        vm.assertTrue(court.frozen(trial.terms.dealId, 0, 0) && court.frozen(trial.terms.dealId, 0, 1));
    }

    /// @dev An ally's weak dispute does not use the task up: it can be disputed again while the window is open, and appealed.
    function test_hole_09_anUpheldTaskMayBeDisputedAgain() public {
        Offer memory offer = _trialOffer();
        offer.request.policy.disputeWindow = 1 days;
        Trial memory trial = _certified(offer, _honest());
        vm.assertTrue(_try(trial, _same(right, 1), _honest(), wrong) == CaseState.Upheld);
        _finalize(trial);
        _dispute(trial, 0, wrong);
        vm.assertEq(_status(trial.terms, 0), DISPUTED);
    }

    /// @dev Members, openers and the pool's owner have no part in a jury, whatever the lot says.
    function test_hole_10_partiesSitOnNoJury() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        vm.prank(poolOwner);
        workforce.transferPool(pool, _operator(4));
        _fund(_operator(5), DISPUTE_BOND);
        uint256[3] memory parties = [uint256(0), 4, 5];
        for (uint256 i; i < 3; ++i) {
            uint256 state = _disputeWithSeatOf(trial, parties[i]);
            address worker = _worker(parties[i]);
            vm.prank(worker);
            _expect(IJurors.Excluded.selector, worker);
            jury.commit(trial.terms, trial.done, _records(trial), worker, 0);
            vm.revertToState(state);
        }
    }

    /// @dev Operator 5 disputes at a moment when the lot seats `who`; answers the state before.
    function _disputeWithSeatOf(Trial memory trial, uint256 who) private returns (uint256 state) {
        for (uint256 i; i < 300; ++i) {
            _mine(1, 1);
            state = vm.snapshotState();
            vm.recordLogs();
            vm.prank(_operator(5));
            _openDispute(trial.done, 0, 0);
            trial.record = _opened();
            _mine(1, 1);
            if (_drawn(trial.record, who)) return state;
            vm.revertToState(state);
        }
        revert("the lot is not so kind");
    }

    /// @dev Whether the lot gives a worker a seat on a jury.
    function _drawn(Case memory record, uint256 who) private view returns (bool) {
        (bytes32 seed,) = seeds.seedOf(record.facts.openedBlock(), record.facts.openedAt());
        uint256 ticket = uint256(keccak256(abi.encode(seed, _idOf(record), _worker(who)))) >> 64;
        return ticket < (record.facts.seats() * _word(who).bond() << 192) / record.stakes.runtimeBond();
    }

    function test_hole_10_whoIsNotDrawnSitsOnNoJury() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        _mine(1, 1);
        uint256 who = 3;
        while (_drawn(trial.record, who)) ++who;
        address worker = _worker(who);
        vm.prank(worker);
        _expect(IJurors.NoSeat.selector, worker);
        jury.commit(trial.terms, trial.done, _records(trial), worker, 0);
    }

    /// @dev Workers of any pool with the runtime are drawn; one that came after the case was opened is not.
    function test_hole_10_aJuryComesFromAllPools() public {
        vm.prank(poolOwner);
        uint32 other = workforce.createPool(address(0xc0), 0, false, MINIMUM_DEPOSIT, "other");
        _joinPool(30, 30, other, 1, 20 * BOND);
        _mine(1, 12);
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        _joinPool(31, 31, other, 1, 20 * BOND);
        _mine(1, 1);
        vm.prank(_worker(30));
        jury.commit(trial.terms, trial.done, _records(trial), _worker(30), "blind");
        vm.prank(_worker(31));
        _expect(IJurors.NoSeat.selector, _worker(31));
        jury.commit(trial.terms, trial.done, _records(trial), _worker(31), "blind");
        vm.prank(_worker(30));
        _expect(IJurors.SameOperator.selector, _worker(30));
        jury.commit(trial.terms, trial.done, _records(trial), _worker(30), "again");
    }

    /// @dev Five against odds of 64 are 1,024 to 65: not 50 to one. What nobody can say makes the batch void.
    function test_hole_10_aJuryMustOutweighTheCertificate() public {
        Trial memory trial = _certified(_trialOffer(), _lying(0));
        vm.assertTrue(_try(trial, _same(right, 5), _lying(0), right) == CaseState.Void);
        _finalize(trial);
        for (uint256 i; i < 3; ++i) {
            vm.assertGt(_word(i).bond(), BOND / UNIT - 2 * GROSS / UNIT);
        }
        vm.assertEq(_balance(disputer), 100e18);
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    /// @dev A dispute does not run out the time in which a silent member shows what it had committed to.
    function test_hole_09_aDisputeLeavesSilentMembersTheirTime() public {
        Trial memory trial;
        uint256[] memory who;
        (trial.terms, who) = _openWithSeats(_trialOffer(), CITIZENS, 5);
        Play[] memory plays = _both(_some(who, 0, 4, 0), _some(who, 4, 1, BARE));
        trial.done = _certify(_draftOf(trial.terms, 0, _claims(), plays));
        _dispute(trial, 0, wrong);
        _show(trial.terms, trial.done, _indexOf(trial.done, who[4]), who[4], _claims()[0]);
        vm.assertEq(_fees(who[4]), 2 * (uint256(FUEL) * FEE / 1e6));
    }

    /// @dev One against the certificate loses its slash and calls nobody; two alike call a jury without a bond, which can
    /// take the certificate's stake.
    function test_hole_11_aLoneDissenterCallsNoJury() public {
        (Trial memory trial, uint256[] memory who) = _split(_honest(), _lying(0), 4, 1);
        address worker = _worker(who[4]);
        vm.prank(worker);
        _expect(ICourt.NotEntitled.selector, worker);
        court.openDisputeAsWorker(trial.terms, trial.done, 0, 0, worker);
        vm.assertEq(_word(who[4]).bond(), BOND / UNIT - 2 * GROSS / UNIT);
    }

    function test_hole_12_ownersEarnNoReputation() public {
        (Trial memory trial, uint256 index) = _audited(_honest());
        vm.prank(poolOwner);
        workforce.transferPool(pool, _operator(0));
        _openAudit(trial, index);
        bytes32 found = _findingOf(_honest()[index]);
        _sit(trial, _same(found, 1));
        _hear(trial, _same(found, 1), _honest(), 0);
        _decide(trial);
        _finalize(trial);
        vm.assertEq(_word(0).reputation(), 0);
        vm.assertGt(_word(1).reputation(), 0);
    }

    function test_hole_14_aDisputedBatchDoesNotExpire() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        vm.warp(trial.terms.deadline + 601);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongStatus.selector, Status.Disputed));
        certifier.expire(trial.terms, 0, 0, new LogItem[](0));
    }

    /// @dev An ally that disputes before others do, without knowing what is right, has its bond back and nothing more.
    function test_hole_31_whoCannotSayWhatIsRightIsNotRewarded() public {
        Trial memory trial = _certified(_trialOffer(), _lying(0));
        _disputeWithJury(trial, 0, 0, 6);
        _sit(trial, _same(right, 6));
        _hear(trial, _same(right, 6), _lying(0), 0);
        vm.assertTrue(_decide(trial) == CaseState.Overturned);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18);
        _assertConserved();
    }

    /// @dev Who contributes to a lie cannot know whether it will be looked at: the seed is that of a later block.
    function test_hole_32_anAuditIsDrawnAfterTheCertificate() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 certifiedIn = uint40(trial.done.trail);
        vm.assertEq(certifiedIn, block.number);
        vm.expectPartialRevert(ISeed.SeedUnavailable.selector);
        court.openAudit(trial.done);
        _mine(2, 12);
        vm.expectPartialRevert(ISeed.SeedUnavailable.selector);
        court.openAudit(trial.done);
        // Now it is known, one way or the other.
        _mine(1, 12);
        (bytes32 seed,) = seeds.seedOf(certifiedIn + 2, block.timestamp);
        uint256 draw = uint256(keccak256(abi.encode(seed, trial.terms.dealId, uint256(0), uint256(0))));
        if (draw >> 252 != 0) vm.expectRevert(abi.encodeWithSelector(ICourt.NotDrawn.selector, draw));
        court.openAudit(trial.done);
    }

    /// @dev A case that nobody answers ends by anybody's call; while it is open the batch is neither released nor delivered.
    function test_hole_35_aCaseThatNobodyAnswersEnds() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        vm.warp(block.timestamp + 30 days);
        vm.expectRevert(abi.encodeWithSelector(IRecourse.WrongStatus.selector, Status.Disputed));
        _release(trial.terms, trial.done);
        vm.prank(stranger);
        vm.assertTrue(_decide(trial) == CaseState.Void);
        vm.prank(stranger);
        _finalize(trial);
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }
}
