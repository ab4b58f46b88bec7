// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BlockhashSeed} from "../../src/BlockhashSeed.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IJury} from "../../src/interfaces/IJury.sol";
import {Case, CaseState, Hearing, Juror} from "../../src/types/Cases.sol";
import {Certificate, CertifiedBatch} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {WorkerWord} from "../../src/types/Workers.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";
import {Cheats} from "./Cheats.sol";

/// @title Disputes of a run
/// @notice Who disputes, who sits, what is shown, and what a verdict may move. A city of seven operators is too small to
/// overturn a certificate: those verdicts are in the unit tests.
abstract contract Disputes is Cheats {
    uint64 internal constant RISK = 5 days;
    uint256 private constant BOND_OF_DISPUTE = 1e18;
    bytes32 private constant SALT = keccak256("salt");

    mapping(bytes32 caseId => mapping(uint256 who => bytes32 finding)) private _promised;

    /// @notice The requester disputes a task, and says what is right or nothing.
    function dispute(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, PROVISIONAL);
        if (!found || block.timestamp >= _slots[index].finalAt || _balance(requester) < BOND_OF_DISPUTE) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        uint256 task = (seed >> 16) % _tasksOf(terms, slot.batch);
        bytes32 seal = keccak256(abi.encode(requester, terms.dealId, slot.batch, task, _rightOf(slot, task), SALT));
        vm.recordLogs();
        vm.prank(requester);
        court.openDispute(terms, _certifiedOf(slot).certificate, task, (seed >> 8) % 2 == 0 ? seal : bytes32(0));
        Hearing memory hearing;
        hearing.record = abi.decode(_dataOf(ICourt.CaseOpened.selector), (Case));
        (slot.hearing, slot.status, slot.verdict) = (abi.encode(hearing), DISPUTED, 0);
        slot.bond = BOND_OF_DISPUTE;
        uint256 block_ = block.number;
        _mine(1, 1);
        BlockhashSeed(address(seeds)).pinSeed(block_);
        ++seen["dispute"];
    }

    /// @notice Everybody whom the lot seats on a jury and who has the stake commits, some to rubbish.
    function sit(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, DISPUTED);
        if (!found || _slots[index].verdict != 0) return;
        Slot storage slot = _slots[index];
        Hearing memory hearing = abi.decode(slot.hearing, (Hearing));
        if (hearing.jurors.length != 0 || block.timestamp >= hearing.record.facts.commitEnd()) return;
        Juror[] memory jurors = new Juror[](WORKERS - 1);
        uint256 count;
        for (uint256 who; who < WORKERS - 1; ++who) {
            if (!_seatOnJury(slot, hearing.record, who)) continue;
            bytes32 finding = (seed >> (16 + who)) % 8 == 0 ? bytes32("rubbish") : _rightOf(slot, _taskOf(hearing));
            jurors[count++] = _commitJuror(slot, hearing.record, who, finding);
            ++seen["juror"];
        }
        assembly ("memory-safe") {
            mstore(jurors, count)
        }
        hearing.jurors = jurors;
        slot.hearing = abi.encode(hearing);
    }

    function _commitJuror(Slot storage slot, Case memory record, uint256 who, bytes32 finding)
        private
        returns (Juror memory)
    {
        bytes32 id = keccak256(abi.encode(record));
        Case[] memory records = new Case[](1);
        records[0] = record;
        _promised[id][who] = finding;
        _risks[who].push(Risk(uint64(record.facts.openedAt() + RISK), uint64(record.stakes.slash())));
        vm.recordLogs();
        vm.prank(_worker(who));
        jury.commit(
            _deals[slot.deal],
            _certifiedOf(slot),
            records,
            _worker(who),
            keccak256(abi.encode(_worker(who), id, finding, id))
        );
        return abi.decode(_dataOf(IJury.JurorCommitted.selector), (Juror));
    }

    /// @dev By the rule: drawn, with stake, not of a member's operator.
    function _seatOnJury(Slot storage slot, Case memory record, uint256 who) private view returns (bool) {
        WorkerWord word = _word(who);
        (bytes32 seed,) = seeds.seedOf(record.facts.openedBlock(), record.facts.openedAt());
        uint256 wave = (block.timestamp - record.facts.openedAt()) / record.facts.window();
        uint256 ticket = uint256(keccak256(abi.encode(seed, keccak256(abi.encode(record)), _worker(who)))) >> 64;
        bool drawn = record.stakes.runtimeBond() != 0
            && ticket < (record.facts.seats() * word.bond() << (192 + wave)) / record.stakes.runtimeBond();
        if (!drawn || word.activeFrom() >= record.facts.openedBlock() || _room(who) < record.stakes.slash()) {
            return false;
        }
        CertifiedBatch memory done = _certifiedOf(slot);
        for (uint256 i; i < done.members.length; ++i) {
            if (_operatorOf(_whoIs(done.members[i].worker())) == who) return false;
        }
        return true;
    }

    /// @notice Time passes to the reveal window, jurors reveal or not, contributors defend what they can, anybody decides;
    /// later anybody has the verdict carried out.
    function hear(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, DISPUTED);
        if (!found) return;
        Slot storage slot = _slots[index];
        Hearing memory hearing = abi.decode(slot.hearing, (Hearing));
        if (slot.verdict != 0) {
            if (block.timestamp < hearing.record.facts.appealEnd()) vm.warp(hearing.record.facts.appealEnd());
            return _finalize(slot);
        }
        if (block.timestamp < hearing.record.facts.commitEnd()) vm.warp(hearing.record.facts.commitEnd());
        if (block.timestamp < hearing.record.facts.revealEnd()) {
            _reveal(slot, hearing, seed);
            vm.warp(hearing.record.facts.revealEnd());
        }
        _decide(slot);
    }

    function _reveal(Slot storage slot, Hearing memory hearing, uint256 seed) private {
        Case memory record = hearing.record;
        bytes32 id = keccak256(abi.encode(record));
        for (uint256 i; i < hearing.jurors.length; ++i) {
            if ((seed >> (16 + i)) % 8 == 0) continue;
            bytes32 finding = _promised[id][_whoIs(hearing.jurors[i].word.worker())];
            vm.recordLogs();
            jury.reveal(record, hearing.jurors[i], finding, id);
            (hearing.jurors[i],) = abi.decode(_dataOf(IJury.JurorRevealed.selector), (Juror, bytes32));
        }
        slot.hearing = abi.encode(hearing);
        uint256 task = _taskOf(hearing);
        if (record.seal != 0) jury.openSeal(record, _rightOf(slot, task), SALT);
        if (!slot.right) return;
        Terms memory terms = _deals[slot.deal];
        Receipt[] memory receipts = Receipts.make(_tasksOf(terms, slot.batch), FUEL_EACH);
        jury.showReceipt(
            terms, _certifiedOf(slot).certificate, record, receipts[task], Receipts.proofOf(receipts, task)
        );
    }

    function _decide(Slot storage slot) internal {
        Hearing memory hearing = abi.decode(slot.hearing, (Hearing));
        vm.recordLogs();
        court.decide(_certifiedOf(slot).certificate, hearing);
        CaseState verdict;
        (verdict, slot.finding,) = abi.decode(_dataOf(ICourt.Decided.selector), (CaseState, bytes32, uint256));
        slot.verdict = uint8(verdict);
        _require(verdict != CaseState.Upheld || slot.right, "a lie was upheld");
        _require(verdict != CaseState.Overturned || !slot.right, "the truth was overturned");
    }

    /// @dev Carries a verdict out and writes down what is at risk no more.
    function _finalize(Slot storage slot) internal {
        Hearing[] memory hearings = new Hearing[](1);
        hearings[0] = abi.decode(slot.hearing, (Hearing));
        CertifiedBatch memory done = _certifiedOf(slot);
        uint256 held = _owed() + _bonded();
        court.finalize(_deals[slot.deal], done, hearings, slot.finding);
        uint256 released = slot.bond;
        slot.bond = 0;
        if (slot.verdict == uint8(CaseState.Upheld)) {
            slot.status = PROVISIONAL;
            ++seen["upheld"];
        } else {
            slot.status = VOID;
            released += slot.escrow;
            slot.escrow = 0;
            for (uint256 i; i < done.members.length; ++i) {
                uint256 who = _whoIs(done.members[i].worker());
                _forget(who, done.certificate.certifiedAt + RISK, done.members[i].exposure());
            }
            ++seen["voided by the Court"];
        }
        // Nothing but the bond and the escrow changes from held to owed, to the last unit.
        _require(_owed() + _bonded() - held == released, "a verdict paid another sum");
        Case memory record = hearings[0].record;
        for (uint256 i; i < hearings[0].jurors.length; ++i) {
            uint256 who = _whoIs(hearings[0].jurors[i].word.worker());
            _forget(who, record.facts.openedAt() + RISK, record.stakes.slash());
        }
    }

    function _taskOf(Hearing memory hearing) private pure returns (uint256) {
        return hearing.record.facts.index();
    }

    /// @dev What an honest juror finds.
    function _rightOf(Slot storage slot, uint256 task) private view returns (bytes32) {
        Receipt memory r = Receipts.make(_tasksOf(_deals[slot.deal], slot.batch), FUEL_EACH)[task];
        return keccak256(abi.encode(r.index, r.exit, r.fuel, r.outputDigest, r.traceDigest));
    }

    function _certifiedOf(Slot storage slot) internal view returns (CertifiedBatch memory) {
        return abi.decode(slot.certified, (CertifiedBatch));
    }

    /// @dev A slot with this status, from a random one on.
    function _pick(uint256 seed, uint8 status) internal view returns (bool found, uint256 index) {
        uint256 count = _slots.length;
        for (uint256 i; i < count; ++i) {
            index = (seed % count + i) % count;
            if (_slots[index].status == status) return (true, index);
        }
    }
}
