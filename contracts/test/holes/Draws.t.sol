// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBlockhashSeed} from "../../src/interfaces/IBlockhashSeed.sol";
import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IRecourse} from "../../src/interfaces/IRecourse.sol";
import {ISeed} from "../../src/interfaces/ISeed.sol";
import {WorkerWords} from "../../src/libraries/WorkerWords.sol";
import {CertifiedBatch, Claim, Entry, LogItem} from "../../src/types/Certificates.sol";
import {OpenedWord, Terms} from "../../src/types/Terms.sol";
import {Plays} from "../support/Plays.sol";
import {vm} from "../support/Vm.sol";

/// @title Attacks on the lot, its waves and what stands on chain; numbers as in INVARIANTS.md
contract DrawHolesTest is Plays {
    Terms private _terms;
    LogItem[] private _none;

    function setUp() public {
        _buildCity(5);
        _terms = _open(_offer());
    }

    function _secondWave() private {
        vm.warp(_terms.opened.time() + _patience(_terms));
    }

    function test_hole_01_lateKeyHasNoSeat() public {
        // Ground after the seed is known: the worker joins one block later, with a ticket as small as it likes.
        Terms memory terms = _openHere(_sign(_offer()));
        _mine(1, 12);
        _join(5, 5, BOND);
        _mine(1, 12);
        Draft memory draft = _draft(terms, 0, _both(_all(0, 3, 0), _all(5, 1, 0)));
        _expect(ICertifier.NoSeat.selector, _worker(5));
        _post(draft);
    }

    function test_hole_01_keyOfTheOpeningBlockHasNoSeat() public {
        _join(5, 5, BOND);
        // Four operators want six seats: all six bonds have one, but for the late key.
        Offer memory offer = _offer();
        offer.request.policy.replicasMin = 4;
        Terms memory terms = _open(offer);
        Draft memory draft = _draft(terms, 0, _both(_all(0, 4, 0), _all(5, 1, 0)));
        _expect(ICertifier.NoSeat.selector, _worker(5));
        _post(draft);
    }

    function test_hole_01_lateBondOrMoveOrWakeLosesTheSeat() public {
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        uint256 before = vm.snapshotState();
        vm.prank(_operator(0));
        workforce.addBond(_worker(0), UNIT);
        _expect(ICertifier.NoSeat.selector, _worker(0));
        _post(draft);
        vm.revertToState(before);
        vm.startPrank(_operator(0));
        workforce.move(_worker(0), pool, 1);
        vm.stopPrank();
        _expect(ICertifier.NoSeat.selector, _worker(0));
        _post(draft);
        vm.revertToState(before);
        vm.startPrank(_operator(0));
        workforce.leavePool(_worker(0));
        workforce.wake(_worker(0));
        vm.stopPrank();
        _expect(ICertifier.NoSeat.selector, _worker(0));
        _post(draft);
    }

    function test_hole_01_leavingDoesNotShrinkThePoolOfAnOpenRound() public {
        for (uint256 i = 5; i < 20; ++i) {
            _join(i, i, BOND);
        }
        _mine(1, 12);
        (Terms memory terms, uint256[] memory seated) = _openWithSeats(_offer(), 20, 3);
        uint256 out;
        while (_hasSeat(terms, 0, out, 0)) ++out;
        // Everybody without a seat leaves but one: its odds do not rise.
        for (uint256 i; i < 20; ++i) {
            if (i == out || _hasSeat(terms, 0, i, 0)) continue;
            vm.prank(_operator(i));
            workforce.leavePool(_worker(i));
        }
        Draft memory draft = _draft(terms, 0, _both(_some(seated, 0, 3, 0), _all(out, 1, 0)));
        _expect(ICertifier.NoSeat.selector, _worker(out));
        _post(draft);
    }

    function test_hole_02_waveBeforeItsTimeIsRefused() public {
        Play[] memory plays = _all(0, 3, 0);
        plays[2].wave = 1;
        Draft memory draft = _draft(_terms, 0, plays);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongWave.selector, 1, 0));
        _post(draft);
    }

    function test_hole_02_aThirdWideningIsRefused() public {
        vm.warp(_terms.opened.time() + 10 * _patience(_terms));
        Play[] memory plays = _all(0, 3, 0);
        plays[2].wave = 3;
        Draft memory draft = _draft(_terms, 0, plays);
        vm.expectPartialRevert(ICertifier.WrongWave.selector);
        _post(draft);
    }

    function test_hole_02_threeChosenWorkersOfLateWavesDoNotCertify() public {
        // In wave 2 nearly everybody is eligible, so a coordinator can list its own: there they weigh 1 each.
        vm.warp(_terms.opened.time() + 2 * _patience(_terms));
        Play[] memory plays = _all(0, 5, 0);
        for (uint256 i; i < 5; ++i) {
            plays[i].wave = 2;
        }
        Draft memory draft = _draft(_terms, 0, plays);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.OddsTooLow.selector, 1_000_000, 50_000_000));
        _post(draft);
        for (uint256 i; i < 5; ++i) {
            plays[i].wave = 1;
        }
        draft = _draft(_terms, 0, plays);
        // 1.5 to the power of 5.
        vm.expectRevert(abi.encodeWithSelector(ICertifier.OddsTooLow.selector, 7_593_750, 50_000_000));
        _post(draft);
    }

    function test_hole_02_whatStandsOnChainCannotBeLeftOut() public {
        LogItem[] memory log = _commitOnChain(_terms, 0, _none, 3, _claims()[1]);
        log = _revealOnChain(_terms, 0, log, 0, 3, _claims()[1]);
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        vm.expectPartialRevert(ICertifier.WrongLog.selector);
        _post(draft);
        // With the log comes the dissent.
        draft.log = log;
        draft.claims = _claims();
        vm.expectRevert(abi.encodeWithSelector(ICertifier.OddsTooLow.selector, 12_800_000, 50_000_000));
        _post(draft);
        // Nor can it be shown as silence.
        draft = _draft(_terms, 0, _both(_all(0, 3, 0), _bareTo(3, 1)));
        draft.claims = _claims();
        draft.log = log;
        _expect(ICertifier.RevealedOnChain.selector, _worker(3));
        _post(draft);
    }

    function _bareTo(uint256 who, uint8 hidden) private pure returns (Play[] memory plays) {
        plays = _all(who, 1, BARE);
        plays[0].hidden = hidden;
    }

    function test_hole_04_aCopiedCommitmentOpensForNobodyElse() public {
        // Worker 1 puts worker 0's commitment under its own name; the opening names worker 0.
        bytes32 roundId = _roundId(_terms, 0);
        bytes32 copied = _commitment(0, roundId, _claims()[0]);
        vm.recordLogs();
        vm.prank(_worker(1));
        certifier.commit(_terms, 0, _none, _worker(1), copied, "");
        (,,, LogItem memory item) =
            abi.decode(_dataOf(ICertifier.Committed.selector), (bytes32, uint8, bytes32, LogItem));
        LogItem[] memory log = _with(_none, item);
        _expect(ICertifier.WrongOpening.selector, _worker(1));
        certifier.reveal(_terms.dealId, 0, roundId, log, 0, RIGHT, FUEL, _ownTrace(0, roundId));
    }

    function test_hole_04_commitmentBindsTheOwnTrace() public {
        LogItem[] memory log = _commitOnChain(_terms, 0, _none, 1, _claims()[0]);
        bytes32 roundId = _roundId(_terms, 0);
        _expect(ICertifier.WrongOpening.selector, _worker(1));
        certifier.reveal(_terms.dealId, 0, roundId, log, 0, RIGHT, FUEL, _ownTrace(0, roundId));
        // Off chain the same: the entry's proof is the own trace, and the list holds the commitment.
        Draft memory draft = _draft(_terms, 0, _all(2, 3, 0));
        draft.log = log;
        draft.entries[0].proof = _ownTrace(0, roundId);
        vm.expectPartialRevert(ICertifier.BadEntry.selector);
        _post(draft);
    }

    function test_hole_05_certificateNamesItsSeed() public {
        CertifiedBatch memory done = _certifyBy(_terms, 0, 3);
        vm.assertEq(done.certificate.seedKind, 1);
    }

    function test_hole_05_noDrawInTheOpeningBlock() public {
        Terms memory terms = _openHere(_sign(_offer()));
        uint256 opened = terms.opened.blockNumber();
        vm.expectRevert(abi.encodeWithSelector(ISeed.SeedUnavailable.selector, opened));
        certifier.commit(terms, 0, _none, _worker(0), "x", "");
    }

    function test_hole_06_anAgedSeedIsNoNewDraw() public {
        bytes32 roundId = _roundId(_terms, 0);
        uint256 opened = _terms.opened.blockNumber();
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        IBlockhashSeed(address(seeds)).pinSeed(opened);
        vm.roll(block.number + 10_000);
        vm.assertEq(_roundId(_terms, 0), roundId);
        _post(draft);
    }

    function test_hole_06_anAgedSeedThatNobodyPinnedEndsInARefund() public {
        uint256 before = _balance(requester);
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        vm.roll(block.number + 10_000);
        vm.expectPartialRevert(ISeed.SeedUnavailable.selector);
        _post(draft);
        vm.warp(_terms.deadline + 601);
        certifier.expire(_terms, 0, 0, _none);
        vm.assertEq(_balance(requester), before + _lockOf(_terms, 1));
    }

    function test_hole_06_reopeningTakesFourTimesTheOdds() public {
        vm.warp(_terms.opened.time() + 3 * _patience(_terms));
        uint256 poolBond = workforce.poolOf(pool).bond();
        OpenedWord opened = _terms.opened.reopened(block.number, block.timestamp, poolBond);
        vm.expectEmit(address(certifier));
        emit ICertifier.Reopened(_terms.dealId, 0, 1, OpenedWord.unwrap(opened));
        certifier.reopen(_terms, 0);
        _mine(1, 12);
        // Three seats gave 64 to one against 50; now 200 are asked for.
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.OddsTooLow.selector, 64_000_000, 200_000_000));
        _post(draft);
        CertifiedBatch memory done = _certifyBy(_terms, 0, 4);
        vm.assertEq(done.certificate.attempt, 1);
    }

    function test_hole_06_notReopenedBeforeTheWindowsClose() public {
        uint256 closed = _terms.opened.time() + 3 * _patience(_terms);
        vm.warp(closed - 1);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooEarly.selector, closed));
        certifier.reopen(_terms, 0);
    }

    function test_hole_06_notReopenedWhileSomethingStandsOnChain() public {
        _commitOnChain(_terms, 0, _none, 0, _claims()[0]);
        vm.warp(_terms.opened.time() + 3 * _patience(_terms));
        vm.expectPartialRevert(ICertifier.StandsOnChain.selector);
        certifier.reopen(_terms, 0);
    }

    function test_hole_06_reopenedThreeTimesAtMost() public {
        for (uint256 i; i < 3; ++i) {
            _mine(1, 3 * _patience(_terms));
            certifier.reopen(_terms, 0);
        }
        _mine(1, 3 * _patience(_terms));
        vm.expectRevert(ICertifier.TooManyAttempts.selector);
        certifier.reopen(_terms, 0);
    }

    function test_hole_08_commitmentsOnlyInsideTheWindows() public {
        uint256 closed = _terms.opened.time() + 3 * _patience(_terms);
        vm.warp(closed);
        vm.prank(_worker(0));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooLate.selector, closed));
        certifier.commit(_terms, 0, _none, _worker(0), "late", "");
    }

    function test_hole_08_aCopierOnChainIsSilentAndSlashed() public {
        // It sees the root in a pending transaction and commits on chain: the post must take it in, and it opposes.
        LogItem[] memory log = _commitOnChain(_terms, 0, _none, 4, _claims()[0]);
        Draft memory draft = _draft(_terms, 0, _all(0, 4, 0));
        draft.log = log;
        uint256 before = _word(4).bond();
        CertifiedBatch memory done = _certify(draft);
        vm.assertEq(done.certificate.seats, 4);
        vm.assertEq(_word(4).bond(), before - 80);
        vm.assertEq(_fees(4), 0);
    }

    function test_hole_08_commitmentReservesItsSlash() public {
        _commitOnChain(_terms, 0, _none, 0, _claims()[0]);
        // Twice the fee of an execution at the limit: 0.2 tokens.
        vm.assertEq(_exposure(0), 200);
    }

    function test_hole_08_oneCommitmentAnOperator() public {
        LogItem[] memory log = _commitOnChain(_terms, 0, _none, 0, _claims()[0]);
        vm.prank(_worker(0));
        _expect(ICertifier.SameOperator.selector, _worker(0));
        certifier.commit(_terms, 0, log, _worker(0), "again", "");
    }

    function test_hole_08_windowTakesTwiceReplicasMax() public {
        Offer memory offer = _offer();
        offer.request.policy.replicasMax = 3;
        // Everybody has a seat: a bigger want by more operators at least.
        for (uint256 i = 5; i < 7; ++i) {
            _join(i, i, BOND);
        }
        _mine(1, 12);
        offer.request.policy.replicasMin = 3;
        uint256[] memory seated;
        LogItem[] memory log;
        (_terms, seated) = _openWithSeats(offer, 7, 7);
        for (uint256 i; i < 6; ++i) {
            log = _commitOnChain(_terms, 0, log, seated[i], _claims()[0]);
        }
        vm.prank(_worker(seated[6]));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooMany.selector, 6, 6));
        certifier.commit(_terms, 0, log, _worker(seated[6]), "one more", "");
    }

    function test_hole_08_listsAreBounded() public {
        Entry[] memory entries = new Entry[](64);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooMany.selector, 64, 63));
        certifier.certify(_terms, 0, _first(_claims(), 1), entries, _none);
    }

    function test_hole_11_workerOfAnotherRuntimeHasNoSeat() public {
        vm.prank(protocolOwner);
        registry.registerRuntime(keccak256("runtime 2"));
        vm.prank(_operator(0));
        workforce.move(_worker(0), pool, 2);
        _mine(1, 12);
        _terms = _open(_offer());
        Draft memory draft = _draft(_terms, 0, _all(0, 4, 0));
        _expect(ICertifier.NoSeat.selector, _worker(0));
        _post(draft);
    }

    function test_hole_15_wavesAreAsLongAsTheBatchTakes() public {
        Offer memory offer = _offerOf(10, 10);
        offer.request.fuelLimit = 100_000_000_000;
        offer.request.deadline = uint64(block.timestamp + 200_000);
        _fund(requester, RICHES);
        _terms = _open(offer);
        // 10^12 fuel at 10^8 a second, and the constant.
        uint256 patience = 10_060;
        vm.warp(_terms.opened.time() + patience - 1);
        Play[] memory plays = _all(0, 3, 0);
        plays[0].wave = 1;
        Draft memory draft = _draft(_terms, 0, plays);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongWave.selector, 1, 0));
        _post(draft);
        vm.warp(_terms.opened.time() + patience);
        draft = _draft(_terms, 0, plays);
        vm.expectPartialRevert(ICertifier.OddsTooLow.selector);
        _post(draft);
    }

    function test_hole_19_whoMissesEightSeatsSleeps() public {
        IRecourse.MissedSeat[] memory missed = new IRecourse.MissedSeat[](8);
        for (uint256 i; i < 8; ++i) {
            Terms memory terms = _open(_offer());
            CertifiedBatch memory done = _certifyBy(terms, 0, 3);
            missed[i] = IRecourse.MissedSeat(terms, done);
        }
        uint256 before = workforce.poolOf(pool).bond();
        recourse.reportDormant(_worker(4), missed);
        vm.assertEq(workforce.poolOf(pool).bond(), before - _word(4).bond());
        vm.assertEq(_word(4).activeFrom(), WorkerWords.DORMANT);
        // It wakes itself, and its seats start anew.
        vm.prank(_worker(4));
        workforce.wake(_worker(4));
        vm.assertEq(_word(4).activeFrom(), block.number);
        vm.assertEq(workforce.poolOf(pool).bond(), before);
    }

    function test_hole_19_whoTookPartCannotBePutToSleep() public {
        IRecourse.MissedSeat[] memory missed = new IRecourse.MissedSeat[](8);
        for (uint256 i; i < 8; ++i) {
            Terms memory terms = _open(_offer());
            CertifiedBatch memory done = _certifyBy(terms, 0, 3);
            missed[i] = IRecourse.MissedSeat(terms, done);
        }
        vm.expectRevert(IRecourse.NoFault.selector);
        recourse.reportDormant(_worker(1), missed);
        // The same seat eight times is one seat.
        missed[7] = missed[6];
        vm.expectRevert(IRecourse.NoFault.selector);
        recourse.reportDormant(_worker(4), missed);
        IRecourse.MissedSeat[] memory few = new IRecourse.MissedSeat[](7);
        vm.expectRevert(abi.encodeWithSelector(IRecourse.TooFewSeats.selector, 7, 8));
        recourse.reportDormant(_worker(4), few);
    }

    function test_hole_22_contributionsOfAnotherSeedAreWorthless() public {
        // A reorganisation gives the opening block another hash: what was signed before names another round.
        Draft memory draft = _draft(_terms, 0, _all(0, 3, 0));
        vm.setBlockhash(_terms.opened.blockNumber(), keccak256("the other branch"));
        vm.expectPartialRevert(ICertifier.BadEntry.selector);
        _post(draft);
        _certifyBy(_terms, 0, 3);
    }

    function test_hole_38_waveBoundariesDoNotHangOnASecond() public {
        // Waves are minutes long, so a proposer that shifts its clock by a block's time moves no more than one boundary.
        vm.assertGe(_patience(_terms), 60);
        vm.warp(_terms.opened.time() + _patience(_terms) - 1);
        Play[] memory plays = _all(0, 4, 0);
        plays[3].wave = 1;
        Draft memory draft = _draft(_terms, 0, plays);
        vm.expectPartialRevert(ICertifier.WrongWave.selector);
        _post(draft);
        vm.warp(block.timestamp + 1);
        _certify(draft);
    }
}
