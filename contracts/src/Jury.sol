// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Judicial} from "./Judicial.sol";
import {Jurors} from "./Jurors.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {IJury} from "./interfaces/IJury.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {ReceiptTree} from "./libraries/ReceiptTree.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {Case, CaseState, FactsWord, Hearing, Receipt} from "./types/Cases.sol";
import {Certificate, CertifiedBatch} from "./types/Certificates.sol";
import {Terms} from "./types/Terms.sol";
import {WorkerWord} from "./types/Workers.sol";

/// @title Jury
/// @notice Who sits on the jury of a certificate's task, and what it finds: see {IJury}; what jurors do is in {Jurors}.
contract Jury is IJury, Jurors {
    using TermsHash for Terms;
    using CaseWords for Case;
    using CaseWords for Receipt;

    /// @notice Cases, and the stake of jurors.
    ICourt public immutable court;

    /// @inheritdoc IJury
    mapping(bytes32 caseId => bytes32 finding) public sealOpened;
    /// @inheritdoc IJury
    mapping(bytes32 dealId => mapping(uint256 batch => mapping(uint256 index => bytes32 finding))) public receiptShown;

    constructor(address workforce_, address market_, address certifier_, address seeds_, address court_)
        Judicial(workforce_, market_, certifier_, seeds_)
    {
        court = ICourt(court_);
    }

    /// @inheritdoc IJury
    function commit(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Case[] calldata records,
        address worker,
        bytes32 commitment
    ) external {
        bytes32 id = _openCase(records[0]);
        uint256 operator = _sit(records[0], id, worker, commitment);
        _checkImpartial(terms, certified, records, worker, operator);
    }

    /// @inheritdoc IJury
    function openSeal(Case calldata record, bytes32 finding, bytes32 salt) external {
        bytes32 id = _openCase(record);
        FactsWord facts = record.facts;
        _checkReveals(facts);
        bytes32 seal = CaseWords.sealOf(record.opener, record.dealId, facts.batch(), facts.index(), finding, salt);
        if (seal != record.seal) revert WrongOpening(record.opener);
        sealOpened[id] = finding;
        emit SealOpened(id, finding);
    }

    /// @inheritdoc IJury
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
        _checkSubject(record, certificate);
        Certificates.check(certificate, certifier.batchWord(certificate.dealId, certificate.batch));
        uint256 index = facts.index();
        uint256 tasks = terms.tasksOf(facts.batch());
        if (receipt.index != index || !ReceiptTree.verify(certificate.root, receipt.leafOf(), index, tasks, proof)) {
            revert WrongReceipt(index);
        }
        receiptShown[record.dealId][facts.batch()][index] = receipt.findingOf();
        emit ReceiptShown(record.dealId, certificate.batch, uint32(index), receipt);
    }

    /// @inheritdoc IJury
    function weigh(Certificate calldata certificate, Hearing calldata hearing)
        external
        view
        returns (CaseState verdict, bytes32 finding, uint256 odds)
    {
        Case calldata record = hearing.record;
        check(record.idOf(), hearing.jurors);
        FactsWord facts = record.facts;
        bytes32 shown = receiptShown[record.dealId][facts.batch()][facts.index()];
        uint256 target = CaseWords.targetOf(certificate, facts.level());
        return _weigh(certificate.odds, certificate.policy.faultyShareBps(), target, shown, hearing.jurors);
    }

    /// @dev Reverts where an operator has a part in the case: members, parties, owners, openers, jurors before.
    function _checkImpartial(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Case[] calldata records,
        address worker,
        uint256 operator
    ) private view {
        _checkTerms(terms, certified.certificate);
        _authenticate(certified);
        _checkSubject(records[0], certified.certificate);
        _checkAppealed(records.length, records[0], records[records.length - 1]);
        // Fits: a worker's word has 32 bits for it.
        address who = workforce.operatorAddress(uint32(operator));
        bool excluded = _isParty(terms, who) || (records.length == 2 && _jurors[records[0].before][operator] != 0);
        for (uint256 i; i < records.length; ++i) {
            // A worker's opening was sent by its operator or by itself.
            excluded = excluded || records[i].opener == who
                || (records[i].worker != address(0) && _operatorOf(records[i].worker) == operator);
        }
        for (uint256 i; i < certified.members.length; ++i) {
            excluded = excluded || _operatorOf(certified.members[i].worker()) == operator;
        }
        if (excluded) revert Excluded(worker);
    }

    /// @inheritdoc Jurors
    function _openCase(Case calldata record) internal view override returns (bytes32 id) {
        id = record.idOf();
        uint256 word = court.caseWord(record.dealId, record.facts.batch(), record.facts.index());
        if (uint8(word) != uint8(CaseState.Open)) revert WrongState(CaseState(uint8(word)));
        if ((uint256(id) ^ word) & HASH_MASK != 0) revert WrongCase(id);
    }

    /// @inheritdoc Jurors
    function _reserve(address worker, uint256 units, address caller) internal override returns (WorkerWord word) {
        return court.reserve(worker, units, caller);
    }
}
