// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IInquest} from "../../src/interfaces/IInquest.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {Accusation, Case, Docket, Hearing, Juror, Leaf} from "../../src/types/Cases.sol";
import {CertifiedBatch, Claim, Entry, LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {WorkerWord} from "../../src/types/Workers.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";
import {Disputes} from "./Disputes.sol";

/// @title Inquests of a run
/// @notice Who brings contradicting reveals of an expired batch or a member's own trace before a jury, who sits, what is shown,
/// and what a finding may move.
abstract contract Inquests is Disputes {
    uint256 private constant BOND_OF_INQUEST = 1e18;

    /// @notice An inquest as it should be.
    /// @param truth What an honest juror finds.
    /// @param docket As the chain emitted it; `jurors` as they stand there.
    struct Inquiry {
        uint256 slot;
        bool expiry;
        bool open;
        bytes32 truth;
        Case record;
        bytes docket;
        bytes jurors;
    }

    Inquiry[] private _inquiries;
    mapping(bytes32 caseId => mapping(uint256 who => bytes32 finding)) private _found;

    /// @notice The requester brings an expired batch before a jury, or is refused because nobody contradicts any more.
    function inquire(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, EXPIRED);
        if (!found || _slots[index].closed || _balance(requester) < BOND_OF_INQUEST) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        LogItem[] memory log = abi.decode(slot.log, (LogItem[]));
        uint256 task = (seed >> 16) % _tasksOf(terms, slot.batch);
        vm.recordLogs();
        vm.prank(requester);
        (bool ok,) =
            address(inquest).call(abi.encodeCall(IInquest.openExpired, (terms, slot.batch, slot.roundId, log, task)));
        _require(
            ok == (!slot.busy && !slot.settled && _contradicts(index, log)), "an inquest opened or refused wrongly"
        );
        if (!ok) {
            ++seen["no contradiction"];
            return;
        }
        Inquiry storage inquiry = _noteInquiry(index, true);
        inquiry.truth = _rightOf(slot, task);
        slot.busy = true;
        Docket memory docket = abi.decode(inquiry.docket, (Docket));
        for (uint256 i; i < docket.members.length; ++i) {
            uint256 who = _whoIs(docket.members[i].worker());
            uint64 until = uint64(inquiry.record.facts.openedAt() + RISK);
            _risks[who].push(Risk(until, uint64(docket.members[i].exposure())));
        }
        ++seen["inquest"];
        if (seed >> 248 & 3 != 0) _sitOn(inquiry, seed);
    }

    /// @notice Anybody holds the stake of contradicting revealers of an open batch, not before its time.
    function holdStake(uint256 seed) external {
        (bool found, uint256 index) = _pickWithLog(seed);
        if (!found) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        LogItem[] memory log = abi.decode(slot.log, (LogItem[]));
        uint256 units = (2 * (uint256(terms.fuelLimit) * _tasksOf(terms, slot.batch) * terms.feePerMfuel / 1e6)) / UNIT;
        uint256[] memory rooms = new uint256[](WORKERS);
        for (uint256 i; i < WORKERS; ++i) {
            rooms[i] = _room(i);
        }
        uint256 last = slot.held == 0 ? terms.opened.time() : slot.held;
        if (seed >> 248 & 1 == 0 && block.timestamp < last + 4 days && _contradicts(index, log)) {
            vm.warp(last + 4 days);
        }
        bytes memory call_ = abi.encodeCall(IInquest.hold, (terms, slot.batch, _roundId(terms, slot.batch), log));
        (bool ok,) = address(inquest).call(call_);
        _require(ok == (block.timestamp >= last + 4 days && _contradicts(index, log)), "stake held wrongly");
        if (!ok) return;
        slot.held = block.timestamp;
        for (uint256 i; i < log.length; ++i) {
            if (uint8(log[i].word) != 2) continue;
            uint256 who = _whoIs(address(uint160(log[i].word >> 96)));
            uint256 most = rooms[who] < units ? rooms[who] : units;
            _risks[who].push(Risk(uint64(block.timestamp + RISK), uint64(most)));
        }
        ++seen["held"];
    }

    /// @notice The requester says that a member's own trace is false.
    function accuse(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, PROVISIONAL);
        if (!found || block.timestamp >= _slots[index].finalAt || _balance(requester) < BOND_OF_INQUEST) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        CertifiedBatch memory done = _certifiedOf(slot);
        Accusation memory accusation = _accusationOf(slot, done, seed >> 8);
        if (accusation.worker == address(0)) return;
        uint256 task = (seed >> 16) % _tasksOf(terms, slot.batch);
        vm.recordLogs();
        vm.prank(requester);
        inquest.accuse(terms, done, task, accusation);
        Inquiry storage inquiry = _noteInquiry(index, false);
        // Half of them have executed; what the others leave is something else.
        inquiry.truth = seed >> 24 & 1 == 0 ? accusation.ownTraceRoot : keccak256("an execution");
        ++seen["accusation"];
        if (seed >> 248 & 3 != 0) _sitOn(inquiry, seed);
    }

    /// @dev Of one of the list that agrees, from a random one on: all that binds it. Nobody when there is none.
    function _accusationOf(Slot storage slot, CertifiedBatch memory done, uint256 seed)
        private
        view
        returns (Accusation memory accusation)
    {
        (Claim[] memory claims, Entry[] memory entries) = abi.decode(slot.entries, (Claim[], Entry[]));
        bytes32 roundId = _roundOf(_deals[slot.deal], done.certificate);
        for (uint256 i; i < entries.length; ++i) {
            Entry memory entry = entries[(seed + i) % entries.length];
            if (uint8(entry.word >> 8) != 0 || entry.word & (1 << 16) != 0) continue;
            accusation.worker = address(uint160(entry.word >> 96));
            accusation.ownTraceRoot = entry.proof;
            accusation.wave = uint8(entry.word);
            (accusation.r, accusation.vs) = (entry.r, entry.vs);
            break;
        }
        for (uint256 wave; wave <= accusation.wave; ++wave) {
            if (accusation.list.length != 0) {
                accusation.before = keccak256(abi.encodePacked(accusation.before, accusation.list));
            }
            accusation.list = _lines(roundId, claims, entries, wave);
        }
    }

    /// @dev Worker and commitment of each entry of a wave.
    function _lines(bytes32 roundId, Claim[] memory claims, Entry[] memory entries, uint256 wave)
        private
        pure
        returns (bytes32[] memory lines)
    {
        lines = new bytes32[](2 * entries.length);
        uint256 count;
        for (uint256 i; i < entries.length; ++i) {
            if (uint8(entries[i].word) != wave) continue;
            uint256 claim = uint8(entries[i].word >> 8);
            bytes32 worker = bytes32(entries[i].word >> 96);
            lines[count++] = worker;
            lines[count++] = claim < claims.length
                ? keccak256(
                    abi.encode(worker, roundId, claims[claim].root, uint256(claims[claim].fuel), entries[i].proof)
                )
                : claim == UNAVAILABLE ? bytes32(0) : entries[i].proof;
        }
        assembly ("memory-safe") {
            mstore(lines, count)
        }
    }

    /// @dev Writes the inquest down that was opened last.
    function _noteInquiry(uint256 index, bool expiry) private returns (Inquiry storage inquiry) {
        inquiry = _inquiries.push();
        Docket memory docket;
        (inquiry.record, docket) = abi.decode(_dataOf(IInquest.InquestOpened.selector), (Case, Docket));
        (inquiry.slot, inquiry.expiry, inquiry.open) = (index, expiry, true);
        inquiry.docket = abi.encode(docket);
        inquiry.jurors = abi.encode(new Juror[](0));
        _inquestBonds += BOND_OF_INQUEST;
        uint256 block_ = block.number;
        _mine(1, 1);
        _pin(block_);
    }

    /// @notice Everybody whom the lot seats and who has the stake commits, some to rubbish.
    function sitOnInquest(uint256 seed) external {
        (bool any, uint256 index) = _pickInquiry(seed);
        if (any) _sitOn(_inquiries[index], seed);
    }

    function _sitOn(Inquiry storage inquiry, uint256 seed) private {
        Case memory record = inquiry.record;
        if (block.timestamp >= record.facts.commitEnd() || abi.decode(inquiry.jurors, (Juror[])).length != 0) return;
        Juror[] memory jurors = new Juror[](WORKERS - 1);
        uint256 count;
        bytes32 id = keccak256(abi.encode(record));
        for (uint256 who; who < WORKERS - 1; ++who) {
            if (!_seatOnInquest(inquiry, who)) continue;
            bytes32 finding = (seed >> (16 + who)) % 16 == 0 ? bytes32(who + 1) : inquiry.truth;
            _found[id][who] = finding;
            _risks[who].push(Risk(uint64(record.facts.openedAt() + RISK), uint64(record.stakes.slash())));
            vm.recordLogs();
            vm.prank(_worker(who));
            bytes32 commitment = keccak256(abi.encode(_worker(who), id, finding, id));
            inquest.commit(
                _deals[_slots[inquiry.slot].deal],
                record,
                abi.decode(inquiry.docket, (Docket)),
                _worker(who),
                commitment
            );
            jurors[count++] = abi.decode(_dataOf(IJurors.JurorCommitted.selector), (Juror));
        }
        assembly ("memory-safe") {
            mstore(jurors, count)
        }
        inquiry.jurors = abi.encode(jurors);
    }

    /// @dev By the rule: drawn, with stake, not of the operator of anybody in the docket.
    function _seatOnInquest(Inquiry storage inquiry, uint256 who) private view returns (bool) {
        Case memory record = inquiry.record;
        WorkerWord word = _word(who);
        if (!_runs(_deals[_slots[inquiry.slot].deal], who)) return false;
        (bytes32 seed,) = seeds.seedOf(record.facts.openedBlock(), record.facts.openedAt());
        uint256 wave = (block.timestamp - record.facts.openedAt()) / record.facts.window();
        uint256 ticket = uint256(keccak256(abi.encode(seed, keccak256(abi.encode(record)), _worker(who)))) >> 64;
        bool drawn = record.stakes.runtimeBond() != 0
            && ticket < (record.facts.seats() * word.bond() << (192 + wave)) / record.stakes.runtimeBond();
        if (!drawn || word.activeFrom() >= record.facts.openedBlock() || _room(who) < record.stakes.slash()) {
            return false;
        }
        Docket memory docket = abi.decode(inquiry.docket, (Docket));
        for (uint256 i; i < docket.members.length; ++i) {
            if (_operatorOf(_whoIs(docket.members[i].worker())) == who) return false;
        }
        return true;
    }

    /// @notice Jurors reveal or not, what can be shown is shown or not, and anybody has the money paid.
    function hearInquest(uint256 seed) external {
        (bool any, uint256 index) = _pickInquiry(seed);
        if (!any) return;
        Inquiry storage inquiry = _inquiries[index];
        Case memory record = inquiry.record;
        if (block.timestamp < record.facts.commitEnd()) vm.warp(record.facts.commitEnd());
        if (block.timestamp < record.facts.revealEnd()) {
            _revealInquest(inquiry, seed);
            if (inquiry.expiry && seed >> 8 & 3 != 0) _showRight(inquiry);
            vm.warp(record.facts.revealEnd());
        }
        _conclude(inquiry);
    }

    function _revealInquest(Inquiry storage inquiry, uint256 seed) private {
        Juror[] memory jurors = abi.decode(inquiry.jurors, (Juror[]));
        bytes32 id = keccak256(abi.encode(inquiry.record));
        for (uint256 i; i < jurors.length; ++i) {
            if ((seed >> (16 + i)) % 16 == 0) continue;
            vm.recordLogs();
            inquest.reveal(inquiry.record, jurors[i], _found[id][_whoIs(jurors[i].word.worker())], id);
            (jurors[i],) = abi.decode(_dataOf(IJurors.JurorRevealed.selector), (Juror, bytes32));
        }
        inquiry.jurors = abi.encode(jurors);
    }

    /// @dev Shows what the right claim says. Nobody can show anything under the wrong root.
    function _showRight(Inquiry storage inquiry) private {
        Slot storage slot = _slots[inquiry.slot];
        Terms memory terms = _deals[slot.deal];
        Docket memory docket = abi.decode(inquiry.docket, (Docket));
        Receipt[] memory receipts = Receipts.make(_tasksOf(terms, slot.batch), FUEL_EACH);
        uint256 task = inquiry.record.facts.index();
        Leaf[] memory leaves = new Leaf[](task == 0 ? 1 : 2);
        for (uint256 i; i < leaves.length; ++i) {
            uint256 path = task + 1 + i - leaves.length;
            leaves[i] = Leaf(path, receipts[path], Receipts.proofOf(receipts, path));
        }
        uint256 claim = docket.claims[0].root == Receipts.rootOf(receipts) ? 0 : 1;
        inquest.showReceipt(terms, inquiry.record, docket, claim, leaves);
    }

    /// @dev Has the money paid and compares it with the bond: nothing else goes from held to owed.
    function _conclude(Inquiry storage inquiry) private {
        Slot storage slot = _slots[inquiry.slot];
        Docket memory docket = abi.decode(inquiry.docket, (Docket));
        Hearing memory hearing = Hearing(inquiry.record, abi.decode(inquiry.jurors, (Juror[])));
        uint256 held = _owed() + _bonded();
        vm.recordLogs();
        inquest.finalize(_deals[slot.deal], docket, hearing);
        (bool found, bytes32 finding,) = abi.decode(_dataOf(IInquest.InquestClosed.selector), (bool, bytes32, uint256));
        _require(_owed() + _bonded() - held == BOND_OF_INQUEST, "an inquest paid another sum");
        _require(!found || finding == inquiry.truth, "a lie was found");
        _inquestBonds -= BOND_OF_INQUEST;
        inquiry.open = false;
        uint256 until = inquiry.record.facts.openedAt() + RISK;
        for (uint256 i; i < hearing.jurors.length; ++i) {
            _forget(_whoIs(hearing.jurors[i].word.worker()), until, inquiry.record.stakes.slash());
        }
        if (!inquiry.expiry) {
            bool single = _tasksOf(_deals[slot.deal], slot.batch) == 1;
            bool truly = single && docket.claims[0].root == inquiry.truth;
            if (found) ++seen[truly ? bytes32("true trace") : bytes32("false trace")];
            return;
        }
        slot.busy = false;
        if (!found) return;
        slot.settled = true;
        for (uint256 i; i < docket.members.length; ++i) {
            _forget(_whoIs(docket.members[i].worker()), until, docket.members[i].exposure());
        }
        ++seen["liars found"];
    }

    /// @dev Ends all inquests that are open, at the end of a run.
    function _concludeAll() internal {
        for (uint256 i; i < _inquiries.length; ++i) {
            if (_inquiries[i].open) _conclude(_inquiries[i]);
        }
    }

    /// @dev An open inquest, from a random one on.
    function _pickInquiry(uint256 seed) private view returns (bool found, uint256 index) {
        uint256 count = _inquiries.length;
        for (uint256 i; i < count; ++i) {
            index = (seed % count + i) % count;
            if (_inquiries[index].open) return (true, index);
        }
    }

    /// @dev Whether two that revealed made different claims.
    function _contradicts(uint256 index, LogItem[] memory log) private view returns (bool) {
        uint256 made;
        for (uint256 i; i < log.length; ++i) {
            if (uint8(log[i].word) == 2) made |= 1 << _hidden[index][_whoIs(address(uint160(log[i].word >> 96)))];
        }
        return made == 6;
    }
}
