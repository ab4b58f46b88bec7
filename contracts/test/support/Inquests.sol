// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "../../src/interfaces/ICases.sol";
import {IInquest} from "../../src/interfaces/IInquest.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {Accusation, Case, Docket, Hearing, Juror, JurorWord, Leaf, Receipt} from "../../src/types/Cases.sol";
import {CertifiedBatch, Claim, Entry, LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Receipts} from "./Receipts.sol";
import {Trials} from "./Trials.sol";
import {vm} from "./Vm.sol";

/// @title Inquests as openers, jurors, revealers and accused play them
/// @notice At a confidence of 50 four jurors of wave 0 settle a case, and six seats are drawn.
abstract contract Inquests is Trials {
    /// @dev What who revealed had reserved: twice the fee of an execution of the batch at the limit, in bond units.
    uint256 internal constant RESERVED = 2 * TASKS * JUROR_FEE / UNIT;

    /// @notice An inquest with what is known of it.
    struct Inquiry {
        Terms terms;
        CertifiedBatch done;
        Entry[] entries;
        bytes32 roundId;
        LogItem[] log;
        Case record;
        Docket docket;
        uint256[] seated;
        Juror[] jurors;
    }

    // ---------------------------------------------------------------- expired batches

    /// @dev Workers with a seat commit on chain and reveal: worker `who[i]` to the root over `found[i]`, where there are any
    /// receipts, or never.
    function _standing(Receipt[][] memory found) internal returns (Inquiry memory inquiry, uint256[] memory who) {
        vm.pauseGasMetering();
        Offer memory offer = _trialOffer();
        offer.request.deadline = uint64(block.timestamp + 1 days);
        (inquiry.terms, who) = _openWithSeats(offer, CITIZENS, found.length);
        inquiry.roundId = _roundId(inquiry.terms, 0);
        for (uint256 i; i < found.length; ++i) {
            Claim memory claim = _claimOf(found[i]);
            inquiry.log = _commitOnChain(inquiry.terms, 0, inquiry.log, who[i], claim);
        }
        for (uint256 i; i < found.length; ++i) {
            if (found[i].length == 0) continue;
            inquiry.log = _revealOnChain(inquiry.terms, 0, inquiry.log, i, who[i], _claimOf(found[i]));
        }
    }

    /// @dev The same, and the batch has expired.
    function _expired(Receipt[][] memory found) internal returns (Inquiry memory inquiry, uint256[] memory who) {
        (inquiry, who) = _standing(found);
        vm.warp(inquiry.terms.deadline + 601);
        certifier.expire(inquiry.terms, 0, inquiry.roundId, inquiry.log);
    }

    function _claimOf(Receipt[] memory receipts) internal pure returns (Claim memory claim) {
        if (receipts.length == 0) return Claim(bytes32("never shown"), 1);
        claim = Claim(Receipts.rootOf(receipts), receipts[receipts.length - 1].cumulativeFuel);
    }

    /// @dev What `a` workers find, then `b` others, then `c` others.
    function _found(uint256 a, Receipt[] memory ofA, uint256 b, Receipt[] memory ofB, uint256 c, Receipt[] memory ofC)
        internal
        pure
        returns (Receipt[][] memory found)
    {
        found = new Receipt[][](a + b + c);
        for (uint256 i; i < found.length; ++i) {
            found[i] = i < a ? ofA : i < a + b ? ofB : ofC;
        }
    }

    /// @dev Two honest workers and one that lies about task 0.
    function _oneLiar() internal returns (Inquiry memory inquiry, uint256[] memory who) {
        return _expired(_found(2, _honest(), 1, _lying(0), 0, _honest()));
    }

    function _openExpired(Inquiry memory inquiry, uint256 index) internal {
        vm.prank(disputer);
        inquest.openExpired(inquiry.terms, 0, inquiry.roundId, inquiry.log, index);
    }

    /// @dev A stranger with money opens a case at a moment when at least `count` workers that have no part in it get a seat of wave 0.
    function _openWithJury(Inquiry memory inquiry, uint256 index, uint256 count) internal {
        for (uint256 i; i < 300; ++i) {
            uint256 state = vm.snapshotState();
            vm.recordLogs();
            _openExpired(inquiry, index);
            if (_readCase(inquiry, count)) return;
            vm.revertToState(state);
            _mine(1, 1);
        }
        revert("the lot is not so kind");
    }

    /// @dev Reads the case that was opened last and who sits on it.
    function _readCase(Inquiry memory inquiry, uint256 count) internal returns (bool) {
        (inquiry.record, inquiry.docket) = abi.decode(_dataOf(IInquest.InquestOpened.selector), (Case, Docket));
        _mine(1, 1);
        CertifiedBatch memory parties;
        parties.members = inquiry.docket.members;
        inquiry.seated = _jurySeats(inquiry.record, parties, 0);
        return inquiry.seated.length >= count;
    }

    /// @dev Shows what a claim says of the case's task.
    function _showClaim(Inquiry memory inquiry, Receipt[] memory receipts) internal {
        uint256 claim = _indexOfClaim(inquiry, receipts);
        bytes32 finding = _findingOf(receipts[inquiry.record.facts.index()]);
        vm.expectEmit(address(inquest));
        emit IInquest.ClaimShown(_idOf(inquiry.record), claim, finding);
        inquest.showReceipt(inquiry.terms, inquiry.record, inquiry.docket, claim, _leavesOf(inquiry, receipts));
    }

    function _leavesOf(Inquiry memory inquiry, Receipt[] memory receipts) internal pure returns (Leaf[] memory leaves) {
        uint256 index = inquiry.record.facts.index();
        leaves = new Leaf[](index == 0 ? 1 : 2);
        for (uint256 i; i < leaves.length; ++i) {
            uint256 path = index + 1 + i - leaves.length;
            leaves[i] = Leaf(path, receipts[path], Receipts.proofOf(receipts, path));
        }
    }

    function _indexOfClaim(Inquiry memory inquiry, Receipt[] memory receipts) internal pure returns (uint256 index) {
        Claim memory claim = _claimOf(receipts);
        while (inquiry.docket.claims[index].root != claim.root || inquiry.docket.claims[index].fuel != claim.fuel) {
            ++index;
        }
    }

    // ---------------------------------------------------------------- own traces

    /// @dev A worker's own trace of one task.
    function _ownLeaf(uint256 who, bytes32 roundId, uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode("own trace", who, roundId, index));
    }

    /// @dev The root over the own traces of a batch of two tasks; a copier's is made up.
    function _ownTrace(uint256 who, bytes32 roundId) internal pure virtual override returns (bytes32) {
        return keccak256(abi.encode(_ownLeaf(who, roundId, 0), _ownLeaf(who, roundId, 1)));
    }

    /// @dev A batch of two tasks that workers 0 to 2 certify, and its round.
    function _certifiedForTraces() internal returns (Inquiry memory inquiry) {
        Trial memory trial = _certified(_trialOffer(), _honest());
        inquiry.terms = trial.terms;
        inquiry.done = trial.done;
        inquiry.roundId = _roundIdAt(trial.terms, 0, 0, trial.terms.opened);
        Claim[] memory claims = new Claim[](1);
        claims[0] = _claimOf(_honest());
        inquiry.entries = _entries(inquiry.roundId, claims, _all(0, 3, 0));
    }

    /// @dev What binds worker `who` to its own trace root, from what was posted and certified.
    function _accusationOf(Inquiry memory inquiry, uint256 who) internal view returns (Accusation memory accusation) {
        Claim memory claim = Claim(inquiry.done.certificate.root, inquiry.done.certificate.fuel);
        accusation.worker = _worker(who);
        accusation.ownTraceRoot = _ownTrace(who, inquiry.roundId);
        accusation.list = new bytes32[](2 * inquiry.entries.length);
        for (uint256 i; i < inquiry.entries.length; ++i) {
            address worker = address(uint160(inquiry.entries[i].word >> 96));
            accusation.list[2 * i] = bytes32(uint256(uint160(worker)));
            accusation.list[2 * i + 1] = keccak256(
                abi.encode(worker, inquiry.roundId, claim.root, uint256(claim.fuel), inquiry.entries[i].proof)
            );
            if (worker == accusation.worker) {
                (accusation.r, accusation.vs) = (inquiry.entries[i].r, inquiry.entries[i].vs);
            }
        }
    }

    /// @dev A stranger with money accuses a worker at a moment when at least `count` others get a seat.
    function _accuseWithJury(Inquiry memory inquiry, uint256 who, uint256 index, uint256 count) internal {
        for (uint256 i; i < 300; ++i) {
            uint256 state = vm.snapshotState();
            vm.recordLogs();
            _accuse(inquiry, who, index);
            if (_readCase(inquiry, count)) return;
            vm.revertToState(state);
            _mine(1, 1);
        }
        revert("the lot is not so kind");
    }

    function _accuse(Inquiry memory inquiry, uint256 who, uint256 index) internal {
        Accusation memory accusation = _accusationOf(inquiry, who);
        vm.prank(disputer);
        inquest.accuse(inquiry.terms, inquiry.done, index, accusation);
    }

    /// @dev The accused, or anybody, shows its own trace of the case's task.
    function _showTrace(Inquiry memory inquiry, uint256 who) internal {
        uint256 index = inquiry.record.facts.index();
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = _ownLeaf(who, inquiry.roundId, 1 - index);
        bytes32 trace = _ownLeaf(who, inquiry.roundId, index);
        inquest.showTrace(inquiry.terms, inquiry.record, inquiry.docket, trace, proof);
    }

    // ---------------------------------------------------------------- jurors

    function _commitInquest(Inquiry memory inquiry, uint256 who, bytes32 finding) internal returns (Juror memory) {
        bytes32 id = _idOf(inquiry.record);
        bytes32 commitment = keccak256(abi.encode(_worker(who), id, finding, _jurorTrace(who, id)));
        vm.recordLogs();
        vm.prank(_worker(who));
        inquest.commit(inquiry.terms, inquiry.record, inquiry.docket, _worker(who), commitment);
        return abi.decode(_dataOf(IJurors.JurorCommitted.selector), (Juror));
    }

    /// @dev The first of those seated commit to their finding and reveal it; zero = it stays silent. The reveal window is open then.
    function _findAll(Inquiry memory inquiry, bytes32[] memory findings) internal {
        inquiry.jurors = new Juror[](findings.length);
        for (uint256 i; i < findings.length; ++i) {
            bytes32 finding = findings[i] == 0 ? bytes32("silence") : findings[i];
            inquiry.jurors[i] = _commitInquest(inquiry, inquiry.seated[i], finding);
        }
        vm.warp(inquiry.record.facts.commitEnd());
        bytes32 id = _idOf(inquiry.record);
        for (uint256 i; i < findings.length; ++i) {
            if (findings[i] == 0) continue;
            vm.recordLogs();
            inquest.reveal(inquiry.record, inquiry.jurors[i], findings[i], _jurorTrace(inquiry.seated[i], id));
            (inquiry.jurors[i],) = abi.decode(_dataOf(IJurors.JurorRevealed.selector), (Juror, bytes32));
        }
    }

    /// @dev Has the verdict carried out when the reveal window is over; answers whether anything was found.
    function _conclude(Inquiry memory inquiry) internal returns (bool found, bytes32 finding) {
        Hearing memory hearing = Hearing(inquiry.record, _byOperator(inquiry.jurors));
        if (block.timestamp < inquiry.record.facts.revealEnd()) vm.warp(inquiry.record.facts.revealEnd());
        vm.recordLogs();
        inquest.finalize(inquiry.terms, inquiry.docket, hearing);
        (found, finding,) = abi.decode(_dataOf(IInquest.InquestClosed.selector), (bool, bytes32, uint256));
    }

    /// @dev The next call says that it takes `units` from worker `who`.
    function _expectPunished(Inquiry memory inquiry, uint256 who, uint256 units) internal {
        vm.expectEmit(address(inquest));
        emit ICases.Punished(inquiry.terms.dealId, 0, _worker(who), units);
    }

    /// @dev Jurors sorted by operator.
    function _byOperator(Juror[] memory jurors) internal pure returns (Juror[] memory) {
        for (uint256 i = 1; i < jurors.length; ++i) {
            for (uint256 j = i; j > 0 && _numberOf(jurors[j]) < _numberOf(jurors[j - 1]); --j) {
                (jurors[j], jurors[j - 1]) = (jurors[j - 1], jurors[j]);
            }
        }
        return jurors;
    }

    function _numberOf(Juror memory juror) private pure returns (uint256) {
        return uint32(JurorWord.unwrap(juror.word) >> 64);
    }
}
