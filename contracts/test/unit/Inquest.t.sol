// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "../../src/interfaces/ICases.sol";
import {IInquest} from "../../src/interfaces/IInquest.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {Accusation, CaseState, Hearing, Leaf, Receipt} from "../../src/types/Cases.sol";
import {Claim, LogItem, Status} from "../../src/types/Certificates.sol";
import {Inquests} from "../support/Inquests.sol";
import {Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";

/// @title Contradicting reveals of an expired batch before a jury
contract ExpiryTest is Inquests {
    bytes32 private immutable right = _findingOf(_honest()[0]);
    bytes32 private immutable wrong = _findingOf(_lying(0)[0]);

    function setUp() public {
        _buildTrials();
    }

    /// @dev All tokens are still where they belong.
    function _assertConserved() private view {
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    // ---------------------------------------------------------------- opening

    function test_openExpired_itTakesTheBondAndPutsTheSlashesAtRiskAnew() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        vm.warp(block.timestamp + 12 days);
        vm.assertEq(_exposure(who[0]), 0);
        _openWithJury(inquiry, 0, 0);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_exposure(who[i]), RESERVED);
            vm.assertEq(inquiry.docket.members[i].exposure(), RESERVED);
        }
        vm.assertEq(inquiry.docket.claims.length, 2);
        vm.assertEq(inquiry.record.facts.seats(), 6);
    }

    /// @dev Who has put its stake at risk elsewhere answers with what is left, and with nothing of what stands behind others.
    function test_openExpired_givenLessRoom_whatIsThereIsPutAtRisk() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        vm.warp(block.timestamp + 12 days);
        vm.startPrank(_operator(who[2]));
        workforce.leavePool(_worker(who[2]));
        vm.warp(block.timestamp + 7 days);
        workforce.withdrawBond(_worker(who[2]), BOND - 500 * UNIT);
        vm.stopPrank();
        _openWithJury(inquiry, 0, 4);
        vm.assertEq(inquiry.docket.members[2].exposure(), 250);
        _findAll(inquiry, _same(right, 4));
        _showClaim(inquiry, _honest());
        _conclude(inquiry);
        vm.assertEq(_word(who[2]).bond(), 250);
        _assertConserved();
    }

    function test_openExpired_givenTheBatchHasNotExpired_itReverts() public {
        (Inquiry memory inquiry,) = _standing(_found(1, _honest(), 1, _lying(0), 0, _honest()));
        vm.expectRevert(abi.encodeWithSelector(IInquest.WrongStatus.selector, Status.Open));
        _openExpired(inquiry, 0);
    }

    function test_openExpired_givenRevealsThatAgree_itReverts() public {
        (Inquiry memory inquiry,) = _expired(_found(2, _honest(), 1, new Receipt[](0), 0, _honest()));
        vm.expectRevert(IInquest.NoContradiction.selector);
        _openExpired(inquiry, 0);
    }

    function test_openExpired_givenAnotherLog_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        LogItem[] memory log = new LogItem[](inquiry.log.length - 1);
        for (uint256 i; i < log.length; ++i) {
            log[i] = inquiry.log[i];
        }
        vm.expectPartialRevert(IInquest.WrongLog.selector);
        inquest.openExpired(inquiry.terms, 0, inquiry.roundId, log, 0);
    }

    function test_openExpired_givenNoSuchTask_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        vm.expectRevert(abi.encodeWithSelector(ICases.NoSuchTask.selector, 2, 2));
        _openExpired(inquiry, 2);
    }

    function test_openExpired_givenACaseOfTheBatchIsOpen_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openExpired(inquiry, 0);
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.Open));
        _openExpired(inquiry, 1);
    }

    // ---------------------------------------------------------------- holding

    function test_hold_givenContradictingReveals_theirStakeStaysAtRisk() public {
        (Inquiry memory inquiry, uint256[] memory who) = _standing(_found(1, _honest(), 1, _lying(0), 0, _honest()));
        uint256 opened = inquiry.terms.opened.time();
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, opened + 4 days));
        inquest.hold(inquiry.terms, 0, inquiry.roundId, inquiry.log);
        vm.warp(opened + 4 days);
        vm.expectEmit(address(inquest));
        emit IInquest.Held(inquiry.terms.dealId, 0);
        inquest.hold(inquiry.terms, 0, inquiry.roundId, inquiry.log);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, opened + 8 days));
        inquest.hold(inquiry.terms, 0, inquiry.roundId, inquiry.log);
        vm.warp(opened + 8 days);
        vm.assertGe(_exposure(who[1]), RESERVED);
    }

    function test_hold_givenRevealsThatAgree_itReverts() public {
        (Inquiry memory inquiry,) = _standing(_found(2, _honest(), 0, _honest(), 0, _honest()));
        vm.warp(inquiry.terms.opened.time() + 4 days);
        vm.expectRevert(IInquest.NoContradiction.selector);
        inquest.hold(inquiry.terms, 0, inquiry.roundId, inquiry.log);
    }

    function test_hold_givenTheBatchHasExpired_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        vm.expectRevert(abi.encodeWithSelector(IInquest.WrongStatus.selector, Status.Expired));
        inquest.hold(inquiry.terms, 0, inquiry.roundId, inquiry.log);
    }

    // ---------------------------------------------------------------- jurors

    function test_commit_givenAPartOfTheCase_itReverts() public {
        (Inquiry memory inquiry, uint256[] memory who) =
            _expired(_found(1, _honest(), 1, _lying(0), 1, new Receipt[](0)));
        _fund(_operator(23), DISPUTE_BOND);
        // Who revealed, who stayed silent, who opened.
        uint256[3] memory parties = [who[0], who[2], uint256(23)];
        for (uint256 i; i < 3; ++i) {
            uint256 state = _openWithSeatOf(inquiry, parties[i]);
            address worker = _worker(parties[i]);
            vm.prank(worker);
            _expect(IJurors.Excluded.selector, worker);
            inquest.commit(inquiry.terms, inquiry.record, inquiry.docket, worker, "blind");
            vm.revertToState(state);
        }
    }

    /// @dev Operator 23 opens a case at a moment when the lot seats `who`; answers the state before.
    function _openWithSeatOf(Inquiry memory inquiry, uint256 who) private returns (uint256 state) {
        for (uint256 i; i < 300; ++i) {
            _mine(1, 1);
            state = vm.snapshotState();
            vm.recordLogs();
            vm.prank(_operator(23));
            inquest.openExpired(inquiry.terms, 0, inquiry.roundId, inquiry.log, 0);
            _readCase(inquiry, 0);
            (bytes32 seed,) = seeds.seedOf(inquiry.record.facts.openedBlock(), inquiry.record.facts.openedAt());
            uint256 ticket = uint256(keccak256(abi.encode(seed, _idOf(inquiry.record), _worker(who)))) >> 64;
            uint256 runtimeBond = inquiry.record.stakes.runtimeBond();
            if (ticket < (inquiry.record.facts.seats() * _word(who).bond() << 192) / runtimeBond) return state;
            vm.revertToState(state);
        }
        revert("the lot is not so kind");
    }

    function test_commit_givenNoSeat_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 1);
        uint256 who;
        for (uint256 i; i < inquiry.seated.length + 3 && _isSeatedOrParty(inquiry, who); ++i) {
            ++who;
        }
        vm.prank(_worker(who));
        _expect(IJurors.NoSeat.selector, _worker(who));
        inquest.commit(inquiry.terms, inquiry.record, inquiry.docket, _worker(who), "blind");
    }

    function _isSeatedOrParty(Inquiry memory inquiry, uint256 who) private view returns (bool yes) {
        for (uint256 i; i < inquiry.seated.length; ++i) {
            yes = yes || inquiry.seated[i] == who;
        }
        for (uint256 i; i < inquiry.docket.members.length; ++i) {
            yes = yes || inquiry.docket.members[i].worker() == _worker(who);
        }
    }

    /// @dev A juror commits up to the last second of wave 2: in the next one findings are shown, and nobody may copy them.
    function test_commit_givenTheWindowsAreOver_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 2);
        uint256 end = inquiry.record.facts.commitEnd();
        vm.warp(end - 1);
        vm.assertEq(_commitInquest(inquiry, inquiry.seated[0], right).word.wave(), 2);
        vm.warp(end);
        address worker = _worker(inquiry.seated[1]);
        vm.prank(worker);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooLate.selector, end));
        inquest.commit(inquiry.terms, inquiry.record, inquiry.docket, worker, "late");
    }

    function test_commit_givenAnotherDocket_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 1);
        inquiry.docket.claims[0].fuel += 1;
        address worker = _worker(inquiry.seated[0]);
        vm.prank(worker);
        vm.expectRevert(abi.encodeWithSelector(IInquest.WrongDocket.selector, _idOf(inquiry.record)));
        inquest.commit(inquiry.terms, inquiry.record, inquiry.docket, worker, "blind");
    }

    // ---------------------------------------------------------------- what claims say

    function test_showReceipt_givenTheCommitWindows_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 0);
        Leaf[] memory leaves = _leavesOf(inquiry, _honest());
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, inquiry.record.facts.commitEnd()));
        inquest.showReceipt(inquiry.terms, inquiry.record, inquiry.docket, 0, leaves);
    }

    /// @dev A root over leaves that no honest batch has cannot be shown where they are wrong, so its makers lose there.
    function test_showReceipt_givenLeavesOfNoHonestBatch_itReverts() public {
        for (uint256 kind; kind < 5; ++kind) {
            uint256 state = vm.snapshotState();
            Receipt[] memory lies = _honest();
            uint256 index = 1;
            if (kind == 0) lies[1].index = 0;
            else if (kind == 1) (lies[0].cumulativeFuel, index) = (FUEL + 1, 0);
            else if (kind == 2) (lies[1].fuel, lies[1].cumulativeFuel) = (FUEL_LIMIT + 1, FUEL + FUEL_LIMIT + 1);
            else if (kind == 3) lies[1].cumulativeFuel += 1;
            else lies[0].outputDigest = 0;
            (Inquiry memory inquiry,) = _expired(_found(1, _honest(), 1, lies, 0, lies));
            _openWithJury(inquiry, index, 0);
            vm.warp(inquiry.record.facts.commitEnd());
            _showClaim(inquiry, _honest());
            Leaf[] memory leaves = _leavesOf(inquiry, lies);
            // The last kind lies about another task, but leaves the task before out.
            if (kind == 4) {
                Leaf[] memory fewer = new Leaf[](1);
                fewer[0] = leaves[1];
                leaves = fewer;
            }
            vm.expectRevert(abi.encodeWithSelector(ICases.WrongReceipt.selector, index));
            inquest.showReceipt(inquiry.terms, inquiry.record, inquiry.docket, 1, leaves);
            vm.revertToState(state);
        }
    }

    /// @dev Two claims with one root and two fuels: the last leaf says which it is.
    function test_showReceipt_givenAClaimWithAnotherFuel_itReverts() public {
        (Inquiry memory inquiry, uint256[] memory who) = _openWithFuels();
        vm.warp(inquiry.terms.deadline + 601);
        certifier.expire(inquiry.terms, 0, inquiry.roundId, inquiry.log);
        _openWithJury(inquiry, 1, 4);
        bytes32 finding = _findingOf(_honest()[1]);
        _findAll(inquiry, _same(finding, 4));
        _showClaim(inquiry, _honest());
        Leaf[] memory leaves = _leavesOf(inquiry, _honest());
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongReceipt.selector, 1));
        inquest.showReceipt(inquiry.terms, inquiry.record, inquiry.docket, 1, leaves);
        _conclude(inquiry);
        vm.assertEq(_word(who[1]).bond(), BOND / UNIT - RESERVED);
        vm.assertEq(_word(who[0]).bond(), BOND / UNIT);
    }

    function _openWithFuels() private returns (Inquiry memory inquiry, uint256[] memory who) {
        vm.pauseGasMetering();
        (inquiry.terms, who) = _openWithSeats(_trialOffer(), CITIZENS, 2);
        inquiry.roundId = _roundId(inquiry.terms, 0);
        Claim[2] memory claims = [_claimOf(_honest()), _claimOf(_honest())];
        claims[1].fuel += 1;
        for (uint256 i; i < 2; ++i) {
            inquiry.log = _commitOnChain(inquiry.terms, 0, inquiry.log, who[i], claims[i]);
        }
        for (uint256 i; i < 2; ++i) {
            inquiry.log = _revealOnChain(inquiry.terms, 0, inquiry.log, i, who[i], claims[i]);
        }
    }

    /// @dev Own traces are not what an expired batch is about.
    function test_showTrace_givenAnExpiredBatch_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 0);
        vm.warp(inquiry.record.facts.commitEnd());
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongCase.selector, _idOf(inquiry.record)));
        _showTrace(inquiry, 0);
    }

    // ---------------------------------------------------------------- verdicts

    function test_finalize_givenOneClaimIsRight_liarsPayJurorsAndWhoWasRight() public {
        (Inquiry memory inquiry, uint256[] memory who) = _expired(_found(2, _honest(), 2, _lying(0), 0, _honest()));
        uint256 payer = _balance(requester);
        _openWithJury(inquiry, 0, 4);
        _findAll(inquiry, _same(right, 4));
        _showClaim(inquiry, _honest());
        _showClaim(inquiry, _lying(0));
        for (uint256 i = 2; i < 4; ++i) {
            _expectPunished(inquiry, who[i], RESERVED);
        }
        (bool found, bytes32 finding) = _conclude(inquiry);
        vm.assertTrue(found && finding == right);
        vm.assertEq(_balance(disputer), 100e18);
        uint256 slashed = 2 * RESERVED * UNIT;
        vm.assertEq(_burnt(), slashed / 5);
        // A tenth is the pool's and a twentieth the protocol's: neither is paid for a batch that expired.
        uint256 net = GROSS - GROSS / 10 - GROSS / 20;
        for (uint256 i; i < 2; ++i) {
            vm.assertEq(_fees(who[i]), net);
            vm.assertEq(_word(who[i]).bond(), BOND / UNIT);
            vm.assertEq(_word(who[2 + i]).bond(), BOND / UNIT - RESERVED);
        }
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(_fees(inquiry.seated[i]), JUROR_FEE);
        }
        vm.assertEq(_balance(requester) - payer, slashed - slashed / 5 - 4 * JUROR_FEE - 2 * net);
        _assertConserved();
        // Nobody is left who contradicts.
        vm.expectRevert(IInquest.NoContradiction.selector);
        _openExpired(inquiry, 1);
    }

    function test_finalize_givenNotEnoughForAll_jurorsShareWhatThereIs() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        uint256 payer = _balance(requester);
        _openWithJury(inquiry, 0, 4);
        _findAll(inquiry, _same(right, 4));
        _showClaim(inquiry, _honest());
        _conclude(inquiry);
        uint256 left = RESERVED * UNIT * 4 / 5;
        vm.assertEq(_fees(inquiry.seated[0]), left / 4);
        vm.assertEq(_fees(who[0]), 0);
        vm.assertEq(_balance(requester), payer + left % 4);
        _assertConserved();
    }

    function test_finalize_givenNoLieInThisTask_theBondPaysTheJury() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        uint256 payer = _balance(requester);
        _openWithJury(inquiry, 1, 4);
        _findAll(inquiry, _same(_findingOf(_honest()[1]), 4));
        _showClaim(inquiry, _honest());
        _showClaim(inquiry, _lying(0));
        _conclude(inquiry);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(_fees(inquiry.seated[i]), JUROR_FEE);
        }
        vm.assertEq(_balance(requester) - payer, DISPUTE_BOND - 4 * JUROR_FEE);
        vm.assertEq(_word(who[2]).bond(), BOND / UNIT);
        _assertConserved();
        // The other task is still open to an inquest.
        _openWithJury(inquiry, 0, 0);
    }

    function test_finalize_givenNobodySits_nobodyLosesAnything() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        _openWithJury(inquiry, 0, 0);
        (bool found,) = _conclude(inquiry);
        vm.assertFalse(found);
        vm.assertEq(_balance(disputer), 100e18);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_word(who[i]).bond(), BOND / UNIT);
        }
        _assertConserved();
        _openExpired(inquiry, 0);
    }

    function test_finalize_givenTooFewJurors_nobodyLosesAnything() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        _openWithJury(inquiry, 0, 3);
        _findAll(inquiry, _same(right, 3));
        _showClaim(inquiry, _honest());
        (bool found,) = _conclude(inquiry);
        vm.assertFalse(found);
        vm.assertEq(_word(who[2]).bond(), BOND / UNIT);
        vm.assertEq(_word(inquiry.seated[0]).bond(), BOND / UNIT);
        _assertConserved();
    }

    function test_finalize_givenAClaimThatNobodyShows_itIsWrong() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        _openWithJury(inquiry, 0, 4);
        _findAll(inquiry, _same(right, 4));
        _conclude(inquiry);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_word(who[i]).bond(), BOND / UNIT - RESERVED);
        }
        vm.assertEq(_balance(disputer), 100e18);
        _assertConserved();
    }

    /// @dev Two claims that are right about this task differ elsewhere: nobody is paid before another case says where.
    function test_finalize_givenTwoRightClaims_theOtherTaskSettlesThem() public {
        (Inquiry memory inquiry, uint256[] memory who) = _expired(_found(1, _honest(), 3, _lying(0), 1, _lying(1)));
        _openWithJury(inquiry, 1, 4);
        _findAll(inquiry, _same(_findingOf(_honest()[1]), 4));
        _showClaim(inquiry, _honest());
        _showClaim(inquiry, _lying(0));
        _conclude(inquiry);
        vm.assertEq(_word(who[4]).bond(), BOND / UNIT - RESERVED);
        vm.assertEq(_fees(who[0]), 0);
        _openWithJury(inquiry, 0, 4);
        vm.assertEq(inquiry.docket.claims.length, 2);
        vm.assertEq(inquiry.docket.members[4].exposure(), 0);
        _findAll(inquiry, _same(right, 4));
        _showClaim(inquiry, _honest());
        _conclude(inquiry);
        // Once is enough.
        vm.assertEq(_word(who[4]).bond(), BOND / UNIT - RESERVED);
        for (uint256 i = 1; i < 4; ++i) {
            vm.assertEq(_word(who[i]).bond(), BOND / UNIT - RESERVED);
        }
        vm.assertEq(_fees(who[0]), GROSS - GROSS / 10 - GROSS / 20);
        _assertConserved();
    }

    function test_finalize_givenWrongAndSilentJurors_theyAreSlashed() public {
        (Inquiry memory inquiry,) = _oneLiar();
        bytes32[] memory findings = _same(right, 6);
        findings[4] = wrong;
        findings[5] = 0;
        _openWithJury(inquiry, 0, 6);
        _findAll(inquiry, findings);
        _showClaim(inquiry, _honest());
        // Four to one and to the weight of one: 256 to 9 is not 200 to one. Nothing is found.
        (bool found,) = _conclude(inquiry);
        vm.assertFalse(found);
        (inquiry,) = _oneLiar();
        findings = _same(right, 7);
        findings[6] = 0;
        _openWithJury(inquiry, 0, 7);
        _findAll(inquiry, findings);
        _showClaim(inquiry, _honest());
        _expectPunished(inquiry, inquiry.seated[6], JUROR_SLASH);
        (found,) = _conclude(inquiry);
        vm.assertTrue(found);
        vm.assertEq(_word(inquiry.seated[6]).bond(), BOND / UNIT - JUROR_SLASH);
        vm.assertEq(_fees(inquiry.seated[6]), 0);
        _assertConserved();
    }

    function test_finalize_givenTheRevealWindow_itReverts() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 0);
        vm.warp(inquiry.record.facts.revealEnd() - 1);
        Hearing memory hearing;
        hearing.record = inquiry.record;
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, inquiry.record.facts.revealEnd()));
        inquest.finalize(inquiry.terms, inquiry.docket, hearing);
        vm.warp(inquiry.record.facts.revealEnd());
        inquest.finalize(inquiry.terms, inquiry.docket, hearing);
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.Closed));
        inquest.finalize(inquiry.terms, inquiry.docket, hearing);
    }
}

/// @title Own traces before a jury
contract AccusationTest is Inquests {
    /// @dev What a false own trace costs.
    uint256 private constant FALSE_TRACE = 10 * (2 * GROSS / UNIT);

    function setUp() public {
        _buildTrials();
    }

    function _assertConserved() private view {
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    /// @dev What jurors make of worker 0's trace when it executed.
    function _trueTrace(Inquiry memory inquiry) private pure returns (bytes32) {
        return _ownLeaf(0, inquiry.roundId, inquiry.record.facts.index());
    }

    function test_accuse_itTakesTheBondAndTouchesNoCertificate() public {
        Inquiry memory inquiry = _certifiedForTraces();
        _accuseWithJury(inquiry, 0, 1, 0);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        vm.assertEq(_status(inquiry.terms, 0), PROVISIONAL);
        vm.assertEq(inquiry.record.worker, _worker(0));
        vm.assertEq(inquiry.record.before, inquiry.roundId);
    }

    function test_accuse_givenTheWindowIsOver_itReverts() public {
        Inquiry memory inquiry = _certifiedForTraces();
        vm.warp(inquiry.done.certificate.finalAt);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooLate.selector, inquiry.done.certificate.finalAt));
        _accuse(inquiry, 0, 0);
    }

    function test_accuse_givenNothingBindsTheWorker_itReverts() public {
        Inquiry memory inquiry = _certifiedForTraces();
        for (uint256 kind; kind < 5; ++kind) {
            Accusation memory accusation = _accusationOf(inquiry, 0);
            if (kind == 0) accusation.ownTraceRoot = _ownTrace(1, inquiry.roundId);
            else if (kind == 1) accusation.list = new bytes32[](0);
            else if (kind == 2) accusation.before = bytes32(uint256(1));
            else if (kind == 3) accusation.r = bytes32(uint256(1));
            else accusation.wave = 1;
            vm.prank(disputer);
            _expect(IInquest.NotBound.selector, _worker(0));
            inquest.accuse(inquiry.terms, inquiry.done, 0, accusation);
        }
        // Who is no member.
        Accusation memory other = _accusationOf(inquiry, 0);
        other.worker = _worker(7);
        vm.prank(disputer);
        _expect(IInquest.NotBound.selector, _worker(7));
        inquest.accuse(inquiry.terms, inquiry.done, 0, other);
    }

    function test_finalize_givenAFalseTrace_theAccusedPays() public {
        Inquiry memory inquiry = _certifiedForTraces();
        uint256 payer = _balance(requester);
        _accuseWithJury(inquiry, 0, 0, 4);
        // The accused shows what it had made up; an execution comes to something else.
        _findAll(inquiry, _same(keccak256("what an execution leaves"), 4));
        _showTrace(inquiry, 0);
        _expectPunished(inquiry, 0, FALSE_TRACE);
        (bool found,) = _conclude(inquiry);
        vm.assertTrue(found);
        vm.assertEq(_word(0).bond(), BOND / UNIT - FALSE_TRACE);
        vm.assertEq(_word(0).reputation(), 0);
        uint256 slashed = FALSE_TRACE * UNIT;
        vm.assertEq(_burnt(), slashed / 5);
        vm.assertEq(_balance(disputer), 100e18 + slashed / 10);
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(_fees(inquiry.seated[i]), JUROR_FEE);
        }
        vm.assertEq(_balance(requester) - payer, slashed - slashed / 5 - slashed / 10 - 4 * JUROR_FEE);
        vm.assertEq(_status(inquiry.terms, 0), PROVISIONAL);
        _assertConserved();
    }

    function test_finalize_givenATrueTrace_theBondPaysJurorsAndTheAccused() public {
        Inquiry memory inquiry = _certifiedForTraces();
        uint256 fees = _fees(0);
        _accuseWithJury(inquiry, 0, 1, 4);
        _findAll(inquiry, _same(_trueTrace(inquiry), 4));
        vm.expectEmit(address(inquest));
        emit IInquest.ClaimShown(_idOf(inquiry.record), 0, _trueTrace(inquiry));
        _showTrace(inquiry, 0);
        _conclude(inquiry);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        vm.assertEq(_fees(0) - fees, DISPUTE_BOND - 4 * JUROR_FEE);
        vm.assertEq(_word(0).bond(), BOND / UNIT);
        _assertConserved();
    }

    function test_finalize_givenATraceThatNobodyShows_itIsFalse() public {
        Inquiry memory inquiry = _certifiedForTraces();
        _accuseWithJury(inquiry, 0, 0, 4);
        _findAll(inquiry, _same(_trueTrace(inquiry), 4));
        _conclude(inquiry);
        vm.assertEq(_word(0).bond(), BOND / UNIT - FALSE_TRACE);
        _assertConserved();
    }

    function test_finalize_givenNoJury_nobodyLosesAnything() public {
        Inquiry memory inquiry = _certifiedForTraces();
        _accuseWithJury(inquiry, 0, 0, 3);
        _findAll(inquiry, _same(bytes32("other"), 3));
        (bool found,) = _conclude(inquiry);
        vm.assertFalse(found);
        vm.assertEq(_word(0).bond(), BOND / UNIT);
        vm.assertEq(_balance(disputer), 100e18);
        _assertConserved();
    }

    /// @dev A root over one trace is that trace: an accused that is away loses nothing.
    function test_finalize_givenABatchOfOneTask_theRootIsTheTrace() public {
        Inquiry memory inquiry;
        vm.pauseGasMetering();
        (inquiry.terms,) = _openWithSeatsOf(_offerOf(1, 1), 3);
        inquiry.roundId = _roundId(inquiry.terms, 0);
        Receipt[] memory receipts = Receipts.make(1, 2 * FUEL);
        Claim[] memory claims = new Claim[](1);
        claims[0] = _claimOf(receipts);
        // The same root and fuel that the accusation's commitments are reckoned with.
        inquiry.done = _certify(_draftOf(inquiry.terms, 0, claims, _all(0, 3, 0)));
        inquiry.entries = _entries(inquiry.roundId, claims, _all(0, 3, 0));
        Accusation memory accusation = _accusationOf(inquiry, 0);
        for (uint256 i; i < 300; ++i) {
            uint256 state = vm.snapshotState();
            vm.recordLogs();
            vm.prank(disputer);
            inquest.accuse(inquiry.terms, inquiry.done, 0, accusation);
            if (_readCase(inquiry, 4)) break;
            vm.revertToState(state);
            _mine(1, 1);
        }
        _findAll(inquiry, _same(_ownTrace(0, inquiry.roundId), 4));
        _conclude(inquiry);
        vm.assertEq(_word(0).bond(), BOND / UNIT);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        _assertConserved();
    }

    /// @dev Who revealed on chain signed no contribution: its reveal in the log binds it.
    function test_accuse_givenAnOnChainReveal_theLogBindsIt() public {
        Inquiry memory inquiry;
        vm.pauseGasMetering();
        uint256[] memory who;
        (inquiry.terms, who) = _openWithSeats(_trialOffer(), CITIZENS, 4);
        inquiry.roundId = _roundId(inquiry.terms, 0);
        Claim[] memory claims = new Claim[](1);
        claims[0] = _claimOf(_honest());
        inquiry.log = _commitOnChain(inquiry.terms, 0, inquiry.log, who[3], claims[0]);
        inquiry.log = _revealOnChain(inquiry.terms, 0, inquiry.log, 0, who[3], claims[0]);
        Draft memory draft = _draftOf(inquiry.terms, 0, claims, _some(who, 0, 3, 0));
        draft.log = inquiry.log;
        inquiry.done = _certify(draft);
        Accusation memory accusation;
        accusation.worker = _worker(who[3]);
        accusation.log = inquiry.log;
        accusation.ownTraceRoot = _ownTrace(who[0], inquiry.roundId);
        vm.startPrank(disputer);
        _expect(IInquest.NotBound.selector, _worker(who[3]));
        inquest.accuse(inquiry.terms, inquiry.done, 0, accusation);
        accusation.ownTraceRoot = _ownTrace(who[3], inquiry.roundId);
        inquest.accuse(inquiry.terms, inquiry.done, 0, accusation);
        vm.stopPrank();
    }

    /// @dev Contributions are signed for the draw that was certified, whatever was drawn before.
    function test_accuse_givenALaterDraw_itsListBindsTheWorker() public {
        Inquiry memory inquiry;
        vm.pauseGasMetering();
        inquiry.terms = _open(_trialOffer());
        vm.warp(inquiry.terms.opened.time() + 3 * _patience(inquiry.terms));
        certifier.reopen(inquiry.terms, 0);
        _mine(1, 12);
        uint256[] memory who = _seated(inquiry.terms, CITIZENS);
        Claim[] memory claims = new Claim[](1);
        claims[0] = _claimOf(_honest());
        inquiry.roundId = _roundId(inquiry.terms, 0);
        inquiry.entries = _entries(inquiry.roundId, claims, _some(who, 0, 4, 0));
        inquiry.done = _certify(_draftOf(inquiry.terms, 0, claims, _some(who, 0, 4, 0)));
        vm.assertEq(inquiry.done.certificate.attempt, 1);
        _accuse(inquiry, who[0], 0);
    }

    function test_showTrace_givenAnotherLeaf_itReverts() public {
        Inquiry memory inquiry = _certifiedForTraces();
        _accuseWithJury(inquiry, 0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, inquiry.record.facts.commitEnd()));
        _showTrace(inquiry, 0);
        vm.warp(inquiry.record.facts.commitEnd());
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongReceipt.selector, 0));
        _showTrace(inquiry, 1);
    }
}
