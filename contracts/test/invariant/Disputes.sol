// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {Case, CaseState, Hearing, Juror, Leaf} from "../../src/types/Cases.sol";
import {Certificate, CertifiedBatch, LogItem} from "../../src/types/Certificates.sol";
import {OpenedWord, Terms} from "../../src/types/Terms.sol";
import {WorkerWord} from "../../src/types/Workers.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";
import {Cheats} from "./Cheats.sol";

/// @title Disputes of a run
/// @notice Who disputes, audits, appeals and disproves, who sits, what is shown, and what a verdict may move. Deals of a low confidence are
/// those that a handful of operators can overturn.
abstract contract Disputes is Cheats {
    uint64 internal constant RISK = 5 days;
    uint256 private constant BOND_OF_DISPUTE = 1e18;
    bytes32 private constant SALT = keccak256("salt");
    /// @dev From here on a member's claim is a mark.
    uint256 private constant LEAST_MARK = 249;

    mapping(bytes32 caseId => mapping(uint256 who => bytes32 finding)) private _promised;

    /// @notice The requester disputes a task, and says what is right or nothing.
    function dispute(uint256 seed) external {
        (bool found, uint256 index) = _pickDoubtful(seed);
        if (!found || block.timestamp >= _slots[index].finalAt || _balance(requester) < BOND_OF_DISPUTE) return;
        Slot storage slot = _slots[index];
        _disputeTask(slot, (seed >> 16) % _tasksOf(_deals[slot.deal], slot.batch), (seed >> 8) % 2 == 0);
        if (seed >> 248 & 3 != 0) _sit(slot, seed);
    }

    /// @notice A worker's operator disputes a task by the worker's stake, which may answer for it or is refused.
    function disputeAsWorker(uint256 seed) external {
        (bool found, uint256 index) = _pickDoubtful(seed);
        if (found) _disputeByStake(_slots[index], seed);
    }

    /// @dev A dispute by stake, heard out or not.
    function _disputeByStake(Slot storage slot, uint256 seed) internal {
        uint256 units = _openingUnits(slot, _certifiedOf(slot));
        // One time in four anybody tries.
        (uint256 who, bool may) = _plaintiff(slot, (seed >> 8) % WORKERS, units, seed >> 240 & 3 != 0);
        bool ok = _tryByStake(slot, who, seed);
        _require(ok == (may && block.timestamp < slot.finalAt), "disputed by a stake wrongly, or refused wrongly");
        if (!ok) {
            ++seen["stake refused"];
            return;
        }
        _noteCase(slot);
        slot.bond = 0;
        _risks[who].push(Risk(uint64(block.timestamp + RISK), uint64(units)));
        ++seen["dispute by stake"];
        if (seed >> 248 & 3 != 0) _hearOut(slot);
    }

    /// @dev A worker's operator says what is right or nothing; no money moves.
    function _tryByStake(Slot storage slot, uint256 who, uint256 seed) private returns (bool ok) {
        uint256 task = (seed >> 16) % _tasksOf(_deals[slot.deal], slot.batch);
        address opener = _operator(_operatorOf(who));
        bytes32 seal = seed >> 32 & 3 == 0 ? bytes32(0) : _sealOf(slot, opener, task);
        bytes memory call_ = abi.encodeCall(
            ICourt.openDisputeAsWorker, (_deals[slot.deal], _certifiedOf(slot), task, seal, _worker(who))
        );
        uint256 held = _owed() + _bonded();
        vm.recordLogs();
        vm.prank(opener);
        (ok,) = address(court).call(call_);
        _require(held == _owed() + _bonded(), "a dispute by stake moved money");
    }

    /// @dev What of a worker's stake answers for an opening of the first level.
    function _openingUnits(Slot storage slot, CertifiedBatch memory done) private view returns (uint256 units) {
        uint256 gross = uint256(done.certificate.fuel) * _deals[slot.deal].feePerMfuel / 1e6;
        units = (2 * gross + UNIT - 1) / UNIT;
        if (units == 0) units = 1;
    }

    /// @dev Somebody from this worker on whose stake may answer for an opening; that worker when there is nobody, or it is not
    /// `sought`.
    function _plaintiff(Slot storage slot, uint256 from, uint256 units, bool sought)
        private
        view
        returns (uint256, bool)
    {
        CertifiedBatch memory done = _certifiedOf(slot);
        for (uint256 i; i < WORKERS; ++i) {
            uint256 who = (from + i) % WORKERS;
            bool may = _room(who) >= units && _entitled(slot, done, who);
            if (may || !sought) return (who, may);
        }
        return (from, false);
    }

    /// @dev By the rule: it had a seat that the certificate does without, or stands there with a claim that another one makes too.
    function _entitled(Slot storage slot, CertifiedBatch memory done, uint256 who) private view returns (bool) {
        Terms memory terms = _deals[slot.deal];
        for (uint256 i; i < done.members.length; ++i) {
            if (done.members[i].worker() != _worker(who)) continue;
            uint256 claim = done.members[i].claim();
            uint256 makers;
            for (uint256 j; j < done.members.length; ++j) {
                if (done.members[j].claim() == claim) ++makers;
            }
            return claim != 0 && claim < LEAST_MARK && makers > 1;
        }
        uint256 attempt = done.certificate.attempt;
        OpenedWord opened =
            attempt == 0 ? terms.opened : OpenedWord.wrap(certifier.reopenedAt(terms.dealId, slot.batch));
        (bytes32 seed,) = seeds.seedOf(opened.blockNumber(), opened.time());
        return _runs(terms, who) && _drawnIn(terms, who, 0, attempt, opened, seed, _roundOf(terms, done.certificate));
    }

    /// @dev What an opener who knows what is right seals.
    function _sealOf(Slot storage slot, address opener, uint256 task) private view returns (bytes32) {
        bytes32 dealId = _deals[slot.deal].dealId;
        return keccak256(abi.encode(opener, dealId, slot.batch, task, _rightOf(slot, task), SALT));
    }

    /// @dev The requester opens a dispute, and seals what is right where it `says` so.
    function _disputeTask(Slot storage slot, uint256 task, bool says) private {
        vm.recordLogs();
        vm.prank(requester);
        _openDispute(_certifiedOf(slot), task, says ? _sealOf(slot, requester, task) : bytes32(0));
        _noteCase(slot);
        slot.bond = BOND_OF_DISPUTE;
        ++seen["dispute"];
    }

    /// @dev A dispute from its opening to the end, in which everybody whom the lot seats at once is honest.
    function _tryCase(Slot storage slot, uint256 task) internal {
        _disputeTask(slot, task, true);
        _hearOut(slot);
    }

    /// @dev From the opening to the end: nobody lies.
    function _hearOut(Slot storage slot) private {
        _sit(slot, type(uint256).max);
        Hearing memory hearing = abi.decode(slot.hearing, (Hearing));
        vm.warp(hearing.record.facts.commitEnd());
        _reveal(slot, hearing, type(uint256).max);
        vm.warp(hearing.record.facts.revealEnd());
        _decide(slot);
        vm.warp(hearing.record.facts.appealEnd());
        _finalize(slot);
    }

    /// @notice The seed asks for an audit: the hash of the block that says so is chosen, as nobody can.
    function audit(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, PROVISIONAL);
        if (!found) return;
        Slot storage slot = _slots[index];
        CertifiedBatch memory done = _certifiedOf(slot);
        Certificate memory certificate = done.certificate;
        uint256 block_ = uint40(done.trail) + 2;
        if (block.number <= block_) _mine(block_ + 1 - block.number, 1);
        if (block.timestamp >= slot.finalAt || block.number > block_ + 200) return;
        // Never zero, which would be no hash.
        bytes32 hash = keccak256(abi.encode(seed));
        while (_drawOf(hash, certificate) >> 252 != 0) {
            hash = keccak256(abi.encode(hash));
        }
        // What opened in that block has its hash already.
        if (!_pinned[block_]) vm.setBlockhash(block_, hash);
        (hash,) = seeds.seedOf(block_, block.timestamp);
        uint256 draw = _drawOf(hash, certificate);
        if (_audit(slot, done, draw) && seed >> 248 & 3 != 0) _sit(slot, seed);
    }

    /// @dev Opens an audit where the draw asks for it and there was none.
    function _audit(Slot storage slot, CertifiedBatch memory done, uint256 draw) private returns (bool ok) {
        Terms memory terms = _deals[slot.deal];
        uint256 task = uint128(draw) % _tasksOf(terms, slot.batch);
        bool asked = draw >> 252 == 0 && court.caseWord(terms.dealId, slot.batch, task) >> 16 & 1 == 0;
        uint256 owed = _owed();
        vm.recordLogs();
        (ok,) = address(court).call(abi.encodeCall(ICourt.openAudit, (done)));
        _require(ok == asked, "audited unasked, or asked for and not audited");
        if (!ok) return false;
        _noteCase(slot);
        slot.bond = owed - _owed();
        ++seen["audit"];
    }

    function _drawOf(bytes32 hash, Certificate memory certificate) private pure returns (uint256) {
        uint256 batch = certificate.batch;
        return uint256(keccak256(abi.encode(hash, certificate.dealId, batch, uint256(certificate.attempt))));
    }

    /// @notice The requester appeals a first verdict by a bond, or an operator by its worker's stake.
    function appeal(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, DISPUTED);
        if (!found || _balance(requester) < 2 * BOND_OF_DISPUTE) return;
        Slot storage slot = _slots[index];
        Hearing memory hearing = abi.decode(slot.hearing, (Hearing));
        if (slot.verdict == 0 || slot.first.length != 0) return;
        if (block.timestamp >= hearing.record.facts.appealEnd()) return;
        (address opener, address worker) = (requester, address(0));
        if (seed >> 9 & 1 == 0) (opener, worker) = _appellant(slot, (seed >> 16) % WORKERS);
        bytes32 seal = (seed >> 8) % 2 == 0 ? bytes32(0) : _sealOf(slot, opener, _taskOf(hearing));
        vm.recordLogs();
        vm.prank(opener);
        court.appeal(_deals[slot.deal], _certifiedOf(slot), hearing.record, slot.finding, seal, worker);
        bytes memory first = slot.hearing;
        _noteCase(slot);
        slot.first = first;
        if (worker == address(0)) slot.bond += 2 * BOND_OF_DISPUTE;
        ++seen[worker == address(0) ? bytes32("appeal") : bytes32("appeal by stake")];
        if (seed >> 248 & 3 != 0) _sit(slot, seed);
    }

    /// @dev Somebody whose stake may answer for an appeal, and now does; the requester, for a bond, when there is nobody.
    function _appellant(Slot storage slot, uint256 from) private returns (address opener, address worker) {
        uint256 units = 2 * _openingUnits(slot, _certifiedOf(slot));
        (uint256 who, bool may) = _plaintiff(slot, from, units, true);
        if (!may) return (requester, address(0));
        _risks[who].push(Risk(uint64(block.timestamp + RISK), uint64(units)));
        return (_operator(_operatorOf(who)), _worker(who));
    }

    /// @dev Writes the case down that was opened last.
    function _noteCase(Slot storage slot) private {
        Hearing memory hearing;
        hearing.record = abi.decode(_dataOf(ICourt.CaseOpened.selector), (Case));
        (slot.hearing, slot.status, slot.verdict, slot.first) = (abi.encode(hearing), DISPUTED, 0, "");
        uint256 block_ = block.number;
        _mine(1, 1);
        _pin(block_);
    }

    /// @dev The last case, then the first where it is an appeal.
    function _hearings(Slot storage slot) private view returns (Hearing[] memory hearings) {
        hearings = new Hearing[](slot.first.length == 0 ? 1 : 2);
        hearings[0] = abi.decode(slot.hearing, (Hearing));
        if (hearings.length == 2) hearings[1] = abi.decode(slot.first, (Hearing));
    }

    /// @notice Everybody whom the lot seats on a jury and who has the stake commits, some to rubbish.
    function sit(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, DISPUTED);
        if (found && _slots[index].verdict == 0) _sit(_slots[index], seed);
    }

    function _sit(Slot storage slot, uint256 seed) private {
        Hearing memory hearing = abi.decode(slot.hearing, (Hearing));
        if (hearing.jurors.length != 0 || block.timestamp >= hearing.record.facts.commitEnd()) return;
        Juror[] memory jurors = new Juror[](WORKERS - 1);
        uint256 count;
        for (uint256 who; who < WORKERS - 1; ++who) {
            if (!_seatOnJury(slot, hearing.record, who)) continue;
            // No two of them make the same rubbish.
            bytes32 finding = (seed >> (16 + who)) % 16 == 0 ? bytes32(who + 1) : _rightOf(slot, _taskOf(hearing));
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
        Hearing[] memory hearings = _hearings(slot);
        Case[] memory records = new Case[](hearings.length);
        for (uint256 i; i < records.length; ++i) {
            records[i] = hearings[i].record;
        }
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
        return abi.decode(_dataOf(IJurors.JurorCommitted.selector), (Juror));
    }

    /// @dev By the rule: drawn, with stake, not of a member's operator.
    function _seatOnJury(Slot storage slot, Case memory record, uint256 who) private view returns (bool) {
        WorkerWord word = _word(who);
        if (!_runs(_deals[slot.deal], who)) return false;
        (bytes32 seed,) = seeds.seedOf(record.facts.openedBlock(), record.facts.openedAt());
        uint256 wave = (block.timestamp - record.facts.openedAt()) / record.facts.window();
        uint256 ticket = uint256(keccak256(abi.encode(seed, keccak256(abi.encode(record)), _worker(who)))) >> 64;
        bool drawn = record.stakes.runtimeBond() != 0
            && ticket < (record.facts.seats() * word.bond() << (192 + wave)) / record.stakes.runtimeBond();
        if (!drawn || word.activeFrom() >= record.facts.openedBlock() || _room(who) < record.stakes.slash()) {
            return false;
        }
        Hearing[] memory hearings = _hearings(slot);
        for (uint256 i; hearings.length == 2 && i < hearings[1].jurors.length; ++i) {
            if (hearings[1].jurors[i].word.worker() == _worker(who)) return false;
        }
        for (uint256 i; i < hearings.length; ++i) {
            if (hearings[i].record.opener == _operator(who)) return false;
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
            if ((seed >> (16 + i)) % 16 == 0) continue;
            bytes32 finding = _promised[id][_whoIs(hearing.jurors[i].word.worker())];
            vm.recordLogs();
            jury.reveal(record, hearing.jurors[i], finding, id);
            (hearing.jurors[i],) = abi.decode(_dataOf(IJurors.JurorRevealed.selector), (Juror, bytes32));
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
        Hearing[] memory hearings = _hearings(slot);
        CertifiedBatch memory done = _certifiedOf(slot);
        uint256 held = _owed() + _bonded();
        _carryOut(slot, done, hearings);
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
            ++seen[slot.verdict == uint8(CaseState.Void) ? bytes32("voided by the Court") : bytes32("overturned")];
        }
        // Nothing but the bond and the escrow changes from held to owed, to the last unit.
        _require(_owed() + _bonded() - held == released, "a verdict paid another sum");
        for (uint256 h; h < hearings.length; ++h) {
            Case memory record = hearings[h].record;
            if (record.worker != address(0)) {
                _forget(_whoIs(record.worker), record.facts.openedAt() + RISK, record.stakes.bond() / UNIT);
            }
            for (uint256 i; i < hearings[h].jurors.length; ++i) {
                uint256 who = _whoIs(hearings[h].jurors[i].word.worker());
                _forget(who, record.facts.openedAt() + RISK, record.stakes.slash());
            }
        }
    }

    /// @dev A first verdict takes the stake that answered for the opening, or leaves it whole.
    function _carryOut(Slot storage slot, CertifiedBatch memory done, Hearing[] memory hearings) private {
        Case memory record = hearings[0].record;
        bool staked = hearings.length == 1 && record.worker != address(0);
        uint256 who = staked ? _whoIs(record.worker) : 0;
        uint256 left = staked ? _bondAfter(record, who, slot.verdict) : 0;
        court.finalize(_deals[slot.deal], done, hearings, slot.finding);
        if (staked) _require(_word(who).bond() == left, "the stake of an opening was taken wrongly, or left wrongly");
    }

    /// @dev Bond of a worker whose stake answered for an opening, once the verdict is carried out.
    function _bondAfter(Case memory record, uint256 who, uint8 verdict) private returns (uint256 bond) {
        bond = _word(who).bond();
        bool shown = jury.sealOpened(keccak256(abi.encode(record))) != 0;
        bool lost = verdict == uint8(CaseState.Upheld) || (verdict == uint8(CaseState.Void) && !shown);
        ++seen[lost ? bytes32("stake lost") : bytes32("stake kept")];
        if (!lost) return bond;
        uint256 most = bond;
        // What is at risk for something else is not taken later.
        if (block.timestamp >= record.facts.openedAt() + RISK) {
            uint256 atRisk = _exposure(who);
            most = bond > atRisk ? bond - atRisk : 0;
        }
        uint256 units = record.stakes.bond() / UNIT;
        bond -= units < most ? units : most;
    }

    /// @notice A stranger proves by leaves that a certified root is wrong; of a right one, or of one whose leaves nobody knows, that
    /// proves nothing.
    function disprove(uint256 seed) external {
        (bool found, uint256 index) = _pickFalse(seed);
        if (!found) return;
        Slot storage slot = _slots[index];
        CertifiedBatch memory done = _certifiedOf(slot);
        (Leaf[] memory leaves, bool proves) = _leavesOf(slot, seed >> 16);
        uint256 held = _owed() + _bonded();
        vm.prank(stranger);
        (bool ok,) = address(court).call(abi.encodeCall(ICourt.disprove, (_deals[slot.deal], done, leaves)));
        _require(ok == (proves && block.timestamp < slot.finalAt), "disproved wrongly, or a proof was refused");
        if (!ok) {
            ++seen["nothing disproved"];
            return;
        }
        // What was in escrow changes from held to owed; what an opener has put up waits until its case is dropped.
        _require(_owed() + _bonded() - held == slot.escrow, "a proof paid another sum");
        slot.escrow = 0;
        slot.stray = slot.status == DISPUTED;
        slot.status = VOID;
        for (uint256 i; i < done.members.length; ++i) {
            _forget(_whoIs(done.members[i].worker()), done.certificate.certifiedAt + RISK, done.members[i].exposure());
        }
        ++seen[slot.stray ? bytes32("disproved in a dispute") : bytes32("disproved")];
    }

    /// @dev A wrong certificate that stands, from a random one on; any that is provisional when there is none, and one time in eight.
    function _pickFalse(uint256 seed) private view returns (bool, uint256) {
        uint256 count = _slots.length;
        for (uint256 i; i < count && seed >> 253 != 0; ++i) {
            uint256 index = (seed % count + i) % count;
            bool stands = _slots[index].status == PROVISIONAL || _slots[index].status == DISPUTED;
            if (stands && !_slots[index].right && block.timestamp < _slots[index].finalAt) return (true, index);
        }
        return _pick(seed, PROVISIONAL);
    }

    /// @dev Leaves that prove a certified root wrong where there are such; one of the right ones otherwise.
    function _leavesOf(Slot storage slot, uint256 seed) private view returns (Leaf[] memory leaves, bool proves) {
        Terms memory terms = _deals[slot.deal];
        (Receipt[] memory receipts, uint256 first, uint256 count) = _falseReceipts(terms, slot.batch);
        proves = !slot.right && count != 0;
        if (!proves) {
            receipts = Receipts.make(_tasksOf(terms, slot.batch), FUEL_EACH);
            (first, count) = (seed % receipts.length, 1);
        }
        leaves = new Leaf[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = Leaf(first + i, receipts[first + i], Receipts.proofOf(receipts, first + i));
        }
    }

    /// @notice Anybody drops a case whose batch is void; a case whose batch is not stays.
    function dismiss(uint256 seed) external {
        for (uint256 i; i < _slots.length; ++i) {
            if (_slots[i].stray) return _dismiss(_slots[i]);
        }
        (bool found, uint256 index) = _pick(seed, DISPUTED);
        if (found) _dismiss(_slots[index]);
    }

    /// @dev Openings come back whole, and nothing else moves.
    function _dismiss(Slot storage slot) internal {
        Hearing[] memory hearings = _hearings(slot);
        Case[] memory records = new Case[](hearings.length);
        for (uint256 i; i < records.length; ++i) {
            records[i] = hearings[i].record;
        }
        uint256 owed = _owed();
        uint256 bonded = _bonded();
        (bool ok,) = address(court).call(abi.encodeCall(ICourt.dismiss, (records, slot.finding)));
        _require(ok == slot.stray, "a case was dropped wrongly, or stayed wrongly");
        if (!ok) {
            ++seen["not dismissed"];
            return;
        }
        _require(_owed() - owed == slot.bond && _bonded() == bonded, "a dismissal paid another sum");
        slot.bond = 0;
        slot.stray = false;
        ++seen["dismissed"];
    }

    function _taskOf(Hearing memory hearing) private pure returns (uint256) {
        return hearing.record.facts.index();
    }

    /// @dev What an honest juror finds.
    function _rightOf(Slot storage slot, uint256 task) internal view returns (bytes32) {
        Receipt memory r = Receipts.make(_tasksOf(_deals[slot.deal], slot.batch), FUEL_EACH)[task];
        return keccak256(abi.encode(r.index, r.exit, r.fuel, r.outputDigest, r.traceDigest));
    }

    function _certifiedOf(Slot storage slot) internal view returns (CertifiedBatch memory) {
        return abi.decode(slot.certified, (CertifiedBatch));
    }

    function _roundOf(Terms memory terms, Certificate memory certificate) internal view returns (bytes32) {
        OpenedWord opened = certificate.attempt == 0
            ? terms.opened
            : OpenedWord.wrap(certifier.reopenedAt(terms.dealId, certificate.batch));
        return _roundIdAt(terms, certificate.batch, certificate.attempt, opened);
    }

    function _pickWithLog(uint256 seed) internal view returns (bool found, uint256 index) {
        uint256 count = _slots.length;
        for (uint256 i; i < count; ++i) {
            index = (seed % count + i) % count;
            if (_slots[index].status == OPEN && _slots[index].log.length > 64) return (true, index);
        }
    }

    function _expire(Slot storage slot, Terms memory terms) internal {
        LogItem[] memory log = abi.decode(slot.log, (LogItem[]));
        bytes32 roundId = _roundId(terms, slot.batch);
        slot.closed = _batchesOf(terms) == 1 && certifier.batchWord(terms.dealId, slot.batch) == 0;
        uint256 held = _owed() + _bonded();
        certifier.expire(terms, slot.batch, roundId, log);
        if (_owed() + _bonded() - held != slot.locked) ++paidOtherwise;
        slot.status = EXPIRED;
        slot.roundId = roundId;
        slot.locked = 0;
        ++seen["expire"];
    }

    function _operatorIn(LogItem[] memory log, uint256 operator) internal view returns (bool) {
        for (uint256 i; i < log.length; ++i) {
            if (_operatorOf(_whoIs(address(uint160(log[i].word >> 96)))) == operator) return true;
        }
        return false;
    }

    /// @dev A certified slot: one with a wrong root where there is one, two times of three.
    function _pickDoubtful(uint256 seed) private view returns (bool found, uint256 index) {
        (found, index) = _pick(seed, PROVISIONAL);
        for (uint256 i; i < _slots.length && (seed >> 252) % 3 != 0; ++i) {
            if (_slots[i].status == PROVISIONAL && !_slots[i].right && block.timestamp < _slots[i].finalAt) {
                return (true, i);
            }
        }
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
