// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {Certificates} from "../../src/libraries/Certificates.sol";
import {Draws} from "../../src/libraries/Draws.sol";
import {Receipt} from "../../src/types/Cases.sol";
import {CertifiedBatch, Claim, LogItem, Status} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Inquests} from "../support/Inquests.sol";
import {Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";

/// @title Results that can be guessed without executing
contract GuessHolesTest is Inquests {
    uint256 private constant EXITS = 6;
    uint256 private constant NONE = type(uint256).max;
    /// @dev Fuel of a task that ends at its start.
    uint64 private constant EARLY = 1000;

    LogItem[] private _none;

    function setUp() public {
        _buildTrials();
    }

    /// @dev A batch whose tasks end before they did anything: no output, a memory that anybody can make, and so one trace
    /// that anybody can reckon.
    function _ended(uint8 exit) private pure returns (Receipt[] memory receipts) {
        receipts = Receipts.make(TASKS, EARLY);
        for (uint256 i; i < TASKS; ++i) {
            receipts[i].exit = exit;
            receipts[i].outputDigest = keccak256("");
            receipts[i].traceDigest = keccak256("the memory of a module that was only loaded");
        }
    }

    /// @dev Tries every way to end at the start with this own trace; answers the one that makes the commitment, or {NONE}.
    function _guess(bytes32 commitment, address worker, bytes32 roundId, bytes32 ownTrace)
        private
        pure
        returns (uint256)
    {
        for (uint256 exit; exit < EXITS; ++exit) {
            Claim memory claim = _claimOf(_ended(uint8(exit)));
            if (Draws.commitmentOf(worker, roundId, claim.root, claim.fuel, ownTrace) == commitment) return exit;
        }
        return NONE;
    }

    /// @dev All of a trap's receipt is known, its trace too, and six tries would find it: what hides it is the own trace alone. Who
    /// does not have that can neither read a commitment nor open a copy of it.
    function test_hole_33_aTrapAtTheStartCannotBeReadFromItsCommitment() public {
        (Terms memory terms, uint256[] memory who) = _openWithSeats(_trialOffer(), CITIZENS, 2);
        bytes32 roundId = _roundId(terms, 0);
        Claim memory trap = _claimOf(_ended(5));
        bytes32 own = _ownTrace(who[0], roundId);
        LogItem[] memory log = _commitOnChain(terms, 0, _none, who[0], trap);
        address worker = _worker(who[0]);
        vm.assertEq(_guess(log[0].a, worker, roundId, own), 5);
        vm.assertEq(_guess(log[0].a, worker, roundId, 0), NONE);
        vm.assertEq(_guess(log[0].a, worker, roundId, _ended(5)[0].traceDigest), NONE);
        vm.assertEq(_guess(log[0].a, worker, roundId, _ownTrace(who[1], roundId)), NONE);
        vm.assertEq(_guess(log[0].a, worker, roundId, _ownTrace(who[0], "another round")), NONE);
        // The chain opens it for nobody who brings the right receipt alone, and not under another name.
        _expect(ICertifier.WrongOpening.selector, worker);
        certifier.reveal(terms.dealId, 0, roundId, log, 0, trap.root, trap.fuel, _ended(5)[0].traceDigest);
        bytes32 copied = log[0].a;
        vm.recordLogs();
        vm.prank(_worker(who[1]));
        certifier.commit(terms, 0, log, _worker(who[1]), copied, "");
        (,,, LogItem memory item) =
            abi.decode(_dataOf(ICertifier.Committed.selector), (bytes32, uint8, bytes32, LogItem));
        log = _with(log, item);
        _expect(ICertifier.WrongOpening.selector, _worker(who[1]));
        certifier.reveal(terms.dealId, 0, roundId, log, 1, trap.root, trap.fuel, own);
        certifier.reveal(terms.dealId, 0, roundId, log, 0, trap.root, trap.fuel, own);
    }

    /// @dev Whoever guesses a trap has its root, and makes its own trace up. A jury makes the true one from the worker's key: the
    /// guesser pays many times what it earned, and who executed the same is found true.
    function test_hole_33_whoGuessedATrapPaysForItsMadeUpTrace() public {
        Inquiry memory inquiry = _trapsCertified();
        // Worker 1 guessed: what its key makes of the task is something else than what it shows.
        uint256 state = vm.snapshotState();
        _accuseWithJury(inquiry, 1, 0, 4);
        _findAll(inquiry, _same(keccak256("what the key of worker 1 makes"), 4));
        _showTrace(inquiry, 1);
        (bool found,) = _conclude(inquiry);
        vm.assertTrue(found);
        uint256 earned = _fees(1);
        vm.assertGt(earned, 0);
        vm.assertGe((BOND / UNIT - _word(1).bond()) * UNIT, 20 * earned);
        vm.assertEq(_balance(disputer), 100e18);
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
        vm.revertToState(state);
        // Worker 2 executed.
        _accuseWithJury(inquiry, 2, 0, 4);
        _findAll(inquiry, _same(_ownLeaf(2, inquiry.roundId, 0), 4));
        _showTrace(inquiry, 2);
        (found,) = _conclude(inquiry);
        vm.assertTrue(found);
        vm.assertEq(_word(2).bond(), BOND / UNIT);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    /// @dev Workers 0 to 2 certify that all tasks trapped at their start.
    function _trapsCertified() private returns (Inquiry memory inquiry) {
        (inquiry.terms,) = _openWithSeatsOf(_trialOffer(), 3);
        Claim[] memory claims = new Claim[](1);
        claims[0] = _claimOf(_ended(5));
        inquiry.done = _certify(_draftOf(inquiry.terms, 0, claims, _all(0, 3, 0)));
        inquiry.roundId = _roundIdAt(inquiry.terms, 0, 0, inquiry.terms.opened);
        inquiry.entries = _entries(inquiry.roundId, claims, _all(0, 3, 0));
    }

    /// @dev Bytes that nobody serves are no result: who says so makes no claim, and no list turns its word into one. The round is
    /// void, nobody is paid or slashed, and there is nothing to deliver.
    function test_hole_33_missingBytesAreNeverCertified() public {
        Offer memory offer = _withDataset(_trialOffer());
        (Terms memory terms,) = _openWithSeatsOf(offer, 3);
        Receipt[] memory receipts = _ended(5);
        Claim[] memory claims = new Claim[](1);
        claims[0] = _claimOf(receipts);
        Draft memory draft = _draftOf(terms, 0, claims, _all(0, 3, UNAVAILABLE));
        // Without a claim, and with one that somebody makes for them.
        vm.expectRevert(abi.encodeWithSelector(ICertifier.BadClaim.selector, 0));
        _post(draft);
        draft.claims = claims;
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooFewOperators.selector, 0, 3));
        _post(draft);
        uint256 word = draft.entries[0].word;
        draft.entries[0].word = word & ~uint256(0xff00);
        _expect(ICertifier.BadEntry.selector, address(uint160(word >> 96)));
        _post(draft);
        draft.entries[0].word = word;
        draft.claims = new Claim[](0);
        _checkVoid(draft, receipts);
    }

    function _checkVoid(Draft memory draft, Receipt[] memory receipts) private {
        uint256 payer = _balance(requester);
        uint256 wealth = _wealth();
        _postVoid(draft);
        vm.assertEq(_balance(requester) - payer, _lockOf(draft.terms, TASKS));
        vm.assertEq(_wealth() - wealth, _lockOf(draft.terms, TASKS));
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_fees(i), 0);
            vm.assertEq(_word(i).bond(), BOND / UNIT);
        }
        vm.assertEq(_balance(datasetOwner), 0);
        vm.assertEq(vault.balanceOf(2 << 64 | uint160(pool)), 0);
        // Not later either, and by nobody.
        Draft memory late = _draft(draft.terms, 0, _all(0, 3, 0));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.WrongStatus.selector, Status.Void));
        _post(late);
        CertifiedBatch memory none;
        none.certificate.dealId = draft.terms.dealId;
        none.certificate.root = Receipts.rootOf(receipts);
        none.certificate.fuel = TASKS * EARLY;
        bytes32[] memory proof = Receipts.proofOf(receipts, 0);
        vm.expectRevert(abi.encodeWithSelector(Certificates.WrongCertificate.selector, draft.terms.dealId, 0));
        certifier.deliver(_parcel(draft.terms, none, receipts[0]), proof, "");
    }
}
