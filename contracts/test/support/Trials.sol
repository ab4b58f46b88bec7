// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "../../src/interfaces/ICases.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {IJury} from "../../src/interfaces/IJury.sol";
import {Case, CaseState, Hearing, Juror, JurorWord, Receipt} from "../../src/types/Cases.sol";
import {CertifiedBatch, Claim} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Plays} from "./Plays.sol";
import {Receipts} from "./Receipts.sol";
import {vm} from "./Vm.sol";

/// @title Cases as openers, jurors and contributors play them
/// @notice A city of 24 operators; three of them certify a batch of two tasks at odds of 64, so that six jurors of wave 0
/// overturn it and nine seats are drawn.
abstract contract Trials is Plays {
    uint256 internal constant CITIZENS = 24;
    uint32 internal constant TASKS = 2;
    /// @dev Fee of a juror: an execution of a task at the limit; and what it has at risk, in bond units.
    uint256 internal constant JUROR_FEE = uint256(FUEL_LIMIT) * FEE / 1e6;
    uint256 internal constant JUROR_SLASH = 2 * JUROR_FEE / UNIT;
    uint256 internal constant DISPUTE_BOND = 1e18;
    /// @dev One execution of the batch.
    uint256 internal constant GROSS = TASKS * uint256(FUEL) * FEE / 1e6;

    address internal immutable disputer = address(0xd15);
    bytes32 internal constant SALT = keccak256("salt");

    /// @notice A case with what is known of it.
    struct Trial {
        Terms terms;
        CertifiedBatch done;
        Case record;
        uint256[] seated;
        Juror[] jurors;
        bytes32 finding;
    }

    /// @dev The city, whose deployment and workers are more than a block holds, and a disputer with money.
    function _buildTrials() internal {
        vm.pauseGasMetering();
        _buildCity(CITIZENS);
        _fund(disputer, 100e18);
        vm.resumeGasMetering();
    }

    /// @dev Receipts of the batch as an honest worker finds them.
    function _honest() internal pure returns (Receipt[] memory) {
        return Receipts.make(TASKS, FUEL);
    }

    /// @dev The same with another output of task `index`.
    function _lying(uint256 index) internal pure returns (Receipt[] memory receipts) {
        receipts = _honest();
        receipts[index].outputDigest = keccak256("a lie");
    }

    /// @dev What a jury compares, by the rule of `docs/encoding.md`.
    function _findingOf(Receipt memory r) internal pure returns (bytes32) {
        return keccak256(abi.encode(r.index, r.exit, r.fuel, r.outputDigest, r.traceDigest));
    }

    /// @dev Id of a case, by the rule.
    function _idOf(Case memory record) internal pure returns (bytes32) {
        return keccak256(abi.encode(record));
    }

    /// @dev An offer of one batch of two tasks.
    function _trialOffer() internal returns (Offer memory offer) {
        offer = _offerOf(TASKS, TASKS);
    }

    /// @dev A batch that workers 0 to 2 certify with these receipts.
    function _certified(Offer memory offer, Receipt[] memory receipts) internal returns (Trial memory trial) {
        (trial.terms,) = _openWithSeatsOf(offer, 3);
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(Receipts.rootOf(receipts), TASKS * FUEL);
        trial.done = _certify(_draftOf(trial.terms, 0, claims, _all(0, 3, 0)));
    }

    /// @dev Opens deals until workers 0 to `count - 1` have a seat.
    function _openWithSeatsOf(Offer memory offer, uint256 count) internal returns (Terms memory terms, uint256 tries) {
        // What a test plays until the lot is kind is more than a block holds.
        vm.pauseGasMetering();
        for (; tries < 2000; ++tries) {
            offer.request.salt = keccak256(abi.encode(offer.request.salt));
            uint256 state = vm.snapshotState();
            terms = _open(offer);
            bool all = true;
            for (uint256 i; i < count && all; ++i) {
                all = _hasSeat(terms, 0, i, 0);
            }
            if (all) return (terms, tries);
            vm.revertToState(state);
        }
        revert("the lot is not so kind");
    }

    function _seal(address opener, Trial memory trial, uint256 index, bytes32 finding) internal pure returns (bytes32) {
        return keccak256(abi.encode(opener, trial.terms.dealId, uint256(0), index, finding, SALT));
    }

    /// @dev The record that the last call opened.
    function _opened() internal returns (Case memory) {
        return abi.decode(_dataOf(ICourt.CaseOpened.selector), (Case));
    }

    /// @dev A stranger with money disputes a task and says that `finding` is right.
    function _dispute(Trial memory trial, uint256 index, bytes32 finding) internal {
        vm.recordLogs();
        vm.prank(disputer);
        _openDispute(trial.done, index, _seal(disputer, trial, index, finding));
        trial.record = _opened();
    }

    /// @dev The same at a moment when at least `count` workers that are no members get a seat of wave 0.
    function _disputeWithJury(Trial memory trial, uint256 index, bytes32 finding, uint256 count) internal {
        for (uint256 i; i < 300; ++i) {
            uint256 state = vm.snapshotState();
            _dispute(trial, index, finding);
            _mine(1, 1);
            trial.seated = _jurySeats(trial.record, trial.done, 0);
            if (trial.seated.length >= count) return;
            vm.revertToState(state);
            _mine(1, 1);
        }
        revert("the lot is not so kind");
    }

    /// @dev Workers that have a seat on a jury, by the rule, and are no members.
    function _jurySeats(Case memory record, CertifiedBatch memory done, uint256 wave)
        internal
        view
        returns (uint256[] memory seated)
    {
        seated = new uint256[](CITIZENS);
        uint256 count;
        bytes32 id = _idOf(record);
        (bytes32 seed,) = seeds.seedOf(record.facts.openedBlock(), record.facts.openedAt());
        for (uint256 i; i < CITIZENS; ++i) {
            if (_isMember(done, i)) continue;
            uint256 ticket = uint256(keccak256(abi.encode(seed, id, _worker(i)))) >> 64;
            uint256 threshold = (record.facts.seats() * _word(i).bond() << (192 + wave)) / record.stakes.runtimeBond();
            if (ticket < threshold) seated[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(seated, count)
        }
    }

    function _isMember(CertifiedBatch memory done, uint256 who) internal view returns (bool) {
        for (uint256 i; i < done.members.length; ++i) {
            if (done.members[i].worker() == _worker(who)) return true;
        }
        return false;
    }

    /// @dev A batch that the first seated `agreeing` workers certify with the receipts `a`, while `dissenting` more say `b`.
    function _split(Receipt[] memory a, Receipt[] memory b, uint256 agreeing, uint256 dissenting)
        internal
        returns (Trial memory trial, uint256[] memory who)
    {
        vm.pauseGasMetering();
        (trial.terms, who) = _openWithSeats(_trialOffer(), CITIZENS, agreeing + dissenting);
        Claim[] memory claims = _claims();
        claims[0] = Claim(Receipts.rootOf(a), TASKS * FUEL);
        claims[1] = Claim(Receipts.rootOf(b), TASKS * FUEL);
        Play[] memory plays = _both(_some(who, 0, agreeing, 0), _some(who, agreeing, dissenting, 1));
        trial.done = _certify(_draftOf(trial.terms, 0, claims, plays));
    }

    /// @dev A juror's own trace.
    function _jurorTrace(uint256 who, bytes32 caseId) internal pure returns (bytes32) {
        return keccak256(abi.encode("jury", who, caseId));
    }

    function _records(Trial memory trial) internal pure returns (Case[] memory records) {
        records = new Case[](1);
        records[0] = trial.record;
    }

    /// @dev A worker commits to a finding; answers it as the chain holds it.
    function _commitJuror(Trial memory trial, Case[] memory records, uint256 who, bytes32 finding)
        internal
        returns (Juror memory)
    {
        bytes32 id = _idOf(records[0]);
        bytes32 commitment = keccak256(abi.encode(_worker(who), id, finding, _jurorTrace(who, id)));
        vm.recordLogs();
        vm.prank(_worker(who));
        jury.commit(trial.terms, trial.done, records, _worker(who), commitment);
        return abi.decode(_dataOf(IJurors.JurorCommitted.selector), (Juror));
    }

    /// @dev A juror shows what it committed to.
    function _revealJuror(Case memory record, Juror memory juror, bytes32 finding) internal returns (Juror memory) {
        bytes32 id = _idOf(record);
        for (uint256 who; who < CITIZENS; ++who) {
            if (_worker(who) != juror.word.worker()) continue;
            vm.recordLogs();
            jury.reveal(record, juror, finding, _jurorTrace(who, id));
            (juror,) = abi.decode(_dataOf(IJurors.JurorRevealed.selector), (Juror, bytes32));
            return juror;
        }
        revert("no such juror");
    }

    /// @dev The first of those seated commit, each to its finding; zero = it stays silent later.
    function _sit(Trial memory trial, bytes32[] memory findings) internal {
        _sitOn(trial, _records(trial), findings);
    }

    function _sitOn(Trial memory trial, Case[] memory records, bytes32[] memory findings) internal {
        trial.jurors = new Juror[](findings.length);
        for (uint256 i; i < findings.length; ++i) {
            bytes32 finding = findings[i] == 0 ? bytes32("silence") : findings[i];
            trial.jurors[i] = _commitJuror(trial, records, trial.seated[i], finding);
        }
    }

    /// @dev Moves on to the reveal window; the certified receipt of `receipts` is shown, if there are any, and the seal.
    function _hear(Trial memory trial, bytes32[] memory findings, Receipt[] memory receipts, bytes32 sealed_) internal {
        vm.warp(trial.record.facts.commitEnd());
        for (uint256 i; i < findings.length; ++i) {
            if (findings[i] != 0) trial.jurors[i] = _revealJuror(trial.record, trial.jurors[i], findings[i]);
        }
        if (receipts.length != 0) _showReceipt(trial, receipts);
        if (sealed_ != 0) {
            vm.expectEmit(address(jury));
            emit IJury.SealOpened(_idOf(trial.record), sealed_);
            jury.openSeal(trial.record, sealed_, SALT);
        }
        vm.warp(trial.record.facts.revealEnd());
    }

    function _showReceipt(Trial memory trial, Receipt[] memory receipts) internal {
        uint256 index = trial.record.facts.index();
        bytes32[] memory proof = Receipts.proofOf(receipts, index);
        vm.expectEmit(address(jury));
        emit IJury.ReceiptShown(trial.terms.dealId, 0, uint32(index), receipts[index]);
        jury.showReceipt(trial.terms, trial.done.certificate, trial.record, receipts[index], proof);
    }

    /// @dev The jury sorted by operator, as the contracts want it.
    function _hearing(Trial memory trial) internal pure returns (Hearing memory hearing) {
        hearing.record = trial.record;
        hearing.jurors = trial.jurors;
        for (uint256 i = 1; i < hearing.jurors.length; ++i) {
            for (uint256 j = i; j > 0 && _operatorIn(hearing, j) < _operatorIn(hearing, j - 1); --j) {
                (hearing.jurors[j], hearing.jurors[j - 1]) = (hearing.jurors[j - 1], hearing.jurors[j]);
            }
        }
    }

    function _operatorIn(Hearing memory hearing, uint256 index) private pure returns (uint256) {
        return uint32(JurorWord.unwrap(hearing.jurors[index].word) >> 64);
    }

    /// @dev Calls for the verdict.
    function _decide(Trial memory trial) internal returns (CaseState verdict) {
        Hearing memory hearing = _hearing(trial);
        vm.recordLogs();
        court.decide(trial.done.certificate, hearing);
        (verdict, trial.finding,) = abi.decode(_dataOf(ICourt.Decided.selector), (CaseState, bytes32, uint256));
    }

    /// @dev Has the verdict carried out once nobody can appeal any more.
    function _finalize(Trial memory trial) internal {
        _finalizeTaking(trial, new address[](0), 0);
    }

    /// @dev The same, and `units` are taken from each of these workers, in this order.
    function _finalizeTaking(Trial memory trial, address[] memory punished, uint256 units) internal {
        Hearing[] memory hearings = new Hearing[](1);
        hearings[0] = _hearing(trial);
        if (block.timestamp < trial.record.facts.appealEnd()) vm.warp(trial.record.facts.appealEnd());
        CaseState verdict = CaseState(uint8(court.caseWord(trial.terms.dealId, 0, trial.record.facts.index())));
        vm.expectEmit(address(court));
        emit ICourt.CaseClosed(trial.terms.dealId, 0, uint32(trial.record.facts.index()), verdict);
        for (uint256 i; i < punished.length; ++i) {
            vm.expectEmit(address(court));
            emit ICases.Punished(trial.terms.dealId, 0, punished[i], units);
        }
        court.finalize(trial.terms, trial.done, hearings, trial.finding);
    }

    /// @dev `count` times the same finding.
    function _same(bytes32 finding, uint256 count) internal pure returns (bytes32[] memory findings) {
        findings = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            findings[i] = finding;
        }
    }

    /// @dev A whole case: dispute of task 0, `findings` of the first jurors, verdict.
    function _try(Trial memory trial, bytes32[] memory findings, Receipt[] memory receipts, bytes32 sealed_)
        internal
        returns (CaseState)
    {
        _disputeWithJury(trial, 0, sealed_, findings.length);
        _sit(trial, findings);
        _hear(trial, findings, receipts, sealed_);
        return _decide(trial);
    }

    function _noReceipts() internal pure returns (Receipt[] memory none) {}

    /// @dev Everything that the ledger owes to the accounts of this city, bonds and deposits too: what a case may move.
    function _wealth() internal view returns (uint256 sum) {
        address[8] memory accounts = [requester, sponsor, appOwner, datasetOwner, poolOwner, poster, stranger, disputer];
        for (uint256 i; i < accounts.length; ++i) {
            sum += _balance(accounts[i]);
        }
        for (uint256 i; i < CITIZENS; ++i) {
            sum += _balance(_operator(i)) + _fees(i) + _word(i).bond() * UNIT;
        }
        sum += vault.balanceOf(2 << 64 | uint160(pool)) + vault.protocolFeesOf(pool) + _burnt() + MINIMUM_DEPOSIT;
    }

    /// @dev Certifies until a certificate is drawn for an audit.
    function _audited(Receipt[] memory receipts) internal returns (Trial memory trial, uint256 index) {
        for (uint256 i; i < 200; ++i) {
            uint256 state = vm.snapshotState();
            trial = _certified(_trialOffer(), receipts);
            uint256 draw = _drawOf(trial);
            if (draw >> 252 == 0) return (trial, uint128(draw) % TASKS);
            vm.revertToState(state);
            _mine(1, 12);
        }
        revert("the lot is not so kind");
    }

    /// @dev The number that says whether a certificate is audited, two blocks later.
    function _drawOf(Trial memory trial) internal returns (uint256) {
        uint256 block_ = uint40(trial.done.trail) + 2;
        if (block.number <= block_) _mine(3, 12);
        (bytes32 seed,) = seeds.seedOf(block_, block.timestamp);
        return uint256(keccak256(abi.encode(seed, trial.terms.dealId, uint256(0), uint256(0))));
    }

    /// @dev A stranger opens the audit at a moment when at least six get a seat.
    function _openAudit(Trial memory trial, uint256 index) internal {
        for (uint256 i; i < 300; ++i) {
            uint256 state = vm.snapshotState();
            vm.recordLogs();
            vm.prank(stranger);
            court.openAudit(trial.done);
            trial.record = _opened();
            vm.assertEq(trial.record.facts.index(), index);
            _mine(1, 1);
            trial.seated = _jurySeats(trial.record, trial.done, 0);
            if (trial.seated.length >= 6) return;
            vm.revertToState(state);
            _mine(1, 1);
        }
        revert("the lot is not so kind");
    }
}
