// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Cases} from "./Cases.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Confidence} from "./libraries/Confidence.sol";
import {Lot} from "./libraries/Lot.sol";
import {ReceiptTree} from "./libraries/ReceiptTree.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {Case, CaseState, FactsWord, Hearing, Juror, JurorWord, Receipt} from "./types/Cases.sol";
import {Certificate, CertifiedBatch} from "./types/Certificates.sol";
import {Terms} from "./types/Terms.sol";
import {WorkerWord} from "./types/Workers.sol";

/// @title Juries
/// @notice The part of {ICourt} between opening and verdict: who sits, what they find, what it weighs.
/// @dev A juror's slot holds the hash of its word and commitment, then of its word and finding: jurors that commit in one
/// block do not get in each other's way. How many there are stands in the task's slot, so that a verdict takes all.
abstract contract Juries is Cases {
    using TermsHash for Terms;
    using CaseWords for Case;
    using CaseWords for Receipt;

    /// @dev What a jury comes to.
    struct Outcome {
        CaseState state;
        bytes32 finding;
        uint256 odds;
    }

    /// @dev Jurors of a case at most: twice the seats that the largest jury aims at.
    uint256 private constant JURORS_MAX = 64;

    /// @inheritdoc ICourt
    mapping(bytes32 dealId => mapping(uint256 batch => mapping(uint256 index => bytes32 finding))) public receiptShown;

    /// @inheritdoc ICourt
    function juryCommit(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Case calldata record,
        address worker,
        bytes32 commitment
    ) external {
        (bytes32 id, uint256 word) = _openCase(record);
        FactsWord facts = record.facts;
        uint256 wave = (block.timestamp - facts.openedAt()) / facts.window();
        if (wave > Lot.WAVE_MAX) revert TooLate(facts.commitEnd());
        uint256 count = uint8(word >> 8);
        if (count == JURORS_MAX) revert TooMany(count, JURORS_MAX);
        uint256 operator = _seat(record, id, worker, wave);
        _checkImpartial(terms, certified, record, worker, operator);
        if (_jurors[id][operator] != 0) revert SameOperator(worker);
        JurorWord juror = CaseWords.packJuror(worker, operator, wave);
        _jurors[id][operator] = juror.hashOf(commitment);
        _cases[record.dealId][facts.batch()][facts.index()] = word + (1 << 8);
        emit JurorCommitted(id, worker, Juror(juror, commitment));
    }

    /// @inheritdoc ICourt
    function juryReveal(Case calldata record, Juror calldata juror, bytes32 finding, bytes32 ownTrace) external {
        (bytes32 id,) = _openCase(record);
        _checkReveals(record.facts);
        JurorWord word = juror.word;
        address worker = word.worker();
        if (word.revealed() || _jurors[id][word.operator()] != word.hashOf(juror.finding)) revert WrongJuror(worker);
        if (CaseWords.commitmentOf(worker, id, finding, ownTrace) != juror.finding) revert WrongOpening(worker);
        word = word.asRevealed();
        _jurors[id][word.operator()] = word.hashOf(finding);
        emit JurorRevealed(id, worker, Juror(word, finding), ownTrace);
    }

    /// @inheritdoc ICourt
    function openSeal(Case calldata record, bytes32 finding, bytes32 salt) external {
        (bytes32 id,) = _openCase(record);
        FactsWord facts = record.facts;
        _checkReveals(facts);
        bytes32 seal =
            CaseWords.sealOf(record.opener, record.dealId, facts.batch(), facts.index(), finding, salt);
        if (seal != record.seal) revert WrongOpening(record.opener);
        sealOpened[id] = finding;
        emit SealOpened(id, finding);
    }

    /// @inheritdoc ICourt
    function showReceipt(
        Terms calldata terms,
        Certificate calldata certificate,
        Case calldata record,
        Receipt calldata receipt,
        bytes32[] calldata proof
    ) external {
        _openCase(record);
        FactsWord facts = record.facts;
        _checkReveals(facts);
        _checkTerms(terms, certificate);
        _checkCertificate(certificate, record);
        uint256 index = facts.index();
        uint256 tasks = terms.tasksOf(facts.batch());
        if (
            receipt.index != index
                || !ReceiptTree.verify(certificate.root, receipt.leafOf(), index, tasks, proof)
        ) revert WrongReceipt(index);
        receiptShown[record.dealId][facts.batch()][index] = receipt.findingOf();
        emit ReceiptShown(record.dealId, certificate.batch, uint32(index), receipt);
    }

    /// @inheritdoc ICourt
    function decide(Certificate calldata certificate, Hearing calldata hearing) external {
        Case calldata record = hearing.record;
        (bytes32 id, uint256 word) = _openCase(record);
        FactsWord facts = record.facts;
        if (block.timestamp < facts.revealEnd()) revert TooEarly(facts.revealEnd());
        _checkCertificate(certificate, record);
        _checkJury(id, hearing.jurors, uint8(word >> 8));
        bytes32 shown = receiptShown[record.dealId][facts.batch()][facts.index()];
        Outcome memory outcome = _weigh(certificate, facts.level(), shown, hearing.jurors);
        bytes32 hash = keccak256(abi.encode(id, outcome.finding));
        uint256 low = (word & ~HASH_MASK) - uint256(CaseState.Open) + uint256(outcome.state);
        _cases[record.dealId][facts.batch()][facts.index()] = (uint256(hash) & HASH_MASK) | low;
        emit Decided(id, outcome.state, outcome.finding, outcome.odds);
    }

    /// @dev Reverts unless `jurors` are all `count` of them, each once.
    function _checkJury(bytes32 id, Juror[] calldata jurors, uint256 count) internal view {
        if (jurors.length != count) revert WrongJury(jurors.length, count);
        uint256 last;
        for (uint256 i; i < count; ++i) {
            JurorWord word = jurors[i].word;
            uint256 operator = word.operator();
            // Operators count from 1.
            if (operator <= last) revert WrongJury(jurors.length, count);
            last = operator;
            if (_jurors[id][operator] != word.hashOf(jurors[i].finding)) revert WrongJuror(word.worker());
        }
    }

    /// @dev Puts the slash at risk and checks the lot; answers the operator.
    function _seat(Case calldata record, bytes32 id, address worker, uint256 wave) private returns (uint256 operator) {
        FactsWord facts = record.facts;
        WorkerWord word = _reserve(worker, record.stakes.slash());
        (bytes32 seed,) = seeds.seedOf(facts.openedBlock());
        bool seated = word.runtime() == facts.runtime() && word.activeFrom() < facts.openedBlock()
            && Lot.wins(
                Lot.ticket(seed, id, worker), facts.seats(), word.bond(), record.stakes.runtimeBond(), wave
            );
        if (!seated) revert NoSeat(worker);
        return word.operator();
    }

    /// @dev Reverts where an operator has a part in the case: members, parties, owners, openers, earlier jurors.
    function _checkImpartial(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Case calldata record,
        address worker,
        uint256 operator
    ) private view {
        _checkTerms(terms, certified.certificate);
        _authenticate(certified);
        if (record.dealId != terms.dealId || record.facts.batch() != certified.certificate.batch) {
            revert WrongCase(record.idOf());
        }
        for (uint256 i; i < certified.members.length; ++i) {
            if (_operatorOf(certified.members[i].worker()) == operator) revert Excluded(worker);
        }
        bool excluded = _isParty(terms, operator) || record.opener == workforce.operatorAddress(uint32(operator))
            || (record.worker != address(0) && _operatorOf(record.worker) == operator)
            || (record.before != 0 && _jurors[record.before][operator] != 0);
        if (excluded) revert Excluded(worker);
    }

    /// @dev Whether an operator is requester, payer or owner of what the deal is about.
    function _isParty(Terms calldata terms, uint256 operator) internal view returns (bool) {
        // Fits: a worker's word has 32 bits for it.
        address who = workforce.operatorAddress(uint32(operator));
        return who == terms.requester || who == terms.payer || who == terms.appOwner || who == terms.datasetOwner
            || who == workforce.poolOf(terms.pool).owner();
    }

    /// @dev Number of a worker's operator.
    function _operatorOf(address worker) internal view returns (uint256) {
        return workforce.workerOf(worker).operator();
    }

    /// @dev An open case: reverts unless the slot holds it.
    function _openCase(Case calldata record) internal view returns (bytes32 id, uint256 word) {
        id = record.idOf();
        word = _cases[record.dealId][record.facts.batch()][record.facts.index()];
        if (uint8(word) != uint8(CaseState.Open)) revert WrongState(CaseState(uint8(word)));
        if ((uint256(id) ^ word) & HASH_MASK != 0) revert WrongCase(id);
    }

    /// @dev Reverts unless this is the certificate that the case is about.
    function _checkCertificate(Certificate calldata certificate, Case calldata record) private view {
        if (certificate.dealId != record.dealId || certificate.batch != record.facts.batch()) {
            revert WrongCase(record.idOf());
        }
        Certificates.check(certificate, certifier.batchWord(certificate.dealId, certificate.batch));
    }

    /// @dev Reverts outside the reveal window.
    function _checkReveals(FactsWord facts) private view {
        if (block.timestamp < facts.commitEnd()) revert TooEarly(facts.commitEnd());
        if (block.timestamp >= facts.revealEnd()) revert TooLate(facts.revealEnd());
    }

    /// @dev What the jury's findings come to against the certificate's group, by fresh weights. Who did not reveal opposes
    /// everything.
    function _weigh(Certificate calldata certificate, uint256 level, bytes32 shown, Juror[] calldata jurors)
        private
        pure
        returns (Outcome memory outcome)
    {
        // The first place is the certificate's, whether its receipt was shown or not.
        bytes32[] memory findings = new bytes32[](jurors.length + 1);
        uint256[] memory groups = new uint256[](jurors.length + 1);
        findings[0] = shown;
        groups[0] = certificate.odds;
        uint256 count = 1;
        uint256 agreeing;
        uint256 total = groups[0];
        uint256 faultyShareBps = certificate.policy.faultyShareBps();
        for (uint256 i; i < jurors.length; ++i) {
            uint256 weight = Confidence.weight(faultyShareBps, jurors[i].word.wave(), 0, 1);
            if (!jurors[i].word.revealed()) {
                total += weight;
                continue;
            }
            bytes32 finding = jurors[i].finding;
            uint256 at = shown != 0 && finding == shown ? 0 : 1;
            while (at != 0 && at < count && findings[at] != finding) ++at;
            if (at == count) {
                findings[count++] = finding;
                groups[at] = Confidence.ONE;
                total += Confidence.ONE;
            }
            if (at == 0) ++agreeing;
            total -= groups[at];
            groups[at] = Confidence.times(groups[at], weight);
            total += groups[at];
        }
        uint256 target = _targetOf(certificate, level);
        outcome.state = CaseState.Void;
        for (uint256 at; at < count; ++at) {
            uint256 odds = Confidence.odds(groups[at], total - groups[at]);
            // The certificate's own group is no verdict: somebody must have shown its receipt and found the same.
            if (odds < target || (at == 0 && agreeing == 0)) continue;
            return Outcome(at == 0 ? CaseState.Upheld : CaseState.Overturned, findings[at], odds);
        }
    }
}
