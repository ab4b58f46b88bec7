// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Judicial} from "./Judicial.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {IJury} from "./interfaces/IJury.sol";
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

/// @title Jury
/// @notice Who sits on the jury of a case, and what it finds: see {IJury}.
/// @dev A juror's slot holds the hash of its word and commitment, then of its word and finding: jurors that commit in one
/// block do not get in each other's way.
contract Jury is IJury, Judicial {
    using TermsHash for Terms;
    using CaseWords for Case;
    using CaseWords for Receipt;

    /// @dev Jurors of a case at most: twice the seats that the largest jury aims at.
    uint256 private constant JURORS_MAX = 64;

    /// @notice Cases, and the stake of jurors.
    ICourt public immutable court;

    mapping(bytes32 caseId => mapping(uint256 operator => bytes32 hash)) private _jurors;
    /// @inheritdoc IJury
    mapping(bytes32 caseId => uint256 count) public jurorsOf;
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
        Case calldata record = records[0];
        bytes32 id = _openCase(record);
        FactsWord facts = record.facts;
        uint256 wave = (block.timestamp - facts.openedAt()) / facts.window();
        if (wave > Lot.WAVE_MAX) revert TooLate(facts.commitEnd());
        uint256 count = jurorsOf[id];
        if (count == JURORS_MAX) revert TooMany(count, JURORS_MAX);
        uint256 operator = _seat(record, id, worker, wave);
        if (_jurors[id][operator] != 0) revert SameOperator(worker);
        _checkImpartial(terms, certified, records, worker, operator);
        JurorWord juror = CaseWords.packJuror(worker, operator, wave);
        _jurors[id][operator] = juror.hashOf(commitment);
        jurorsOf[id] = count + 1;
        emit JurorCommitted(id, worker, Juror(juror, commitment));
    }

    /// @inheritdoc IJury
    function reveal(Case calldata record, Juror calldata juror, bytes32 finding, bytes32 ownTrace) external {
        bytes32 id = _openCase(record);
        _checkReveals(record.facts);
        JurorWord word = juror.word;
        address worker = word.worker();
        if (word.revealed() || _jurors[id][word.operator()] != word.hashOf(juror.finding)) revert WrongJuror(worker);
        if (CaseWords.commitmentOf(worker, id, finding, ownTrace) != juror.finding) revert WrongOpening(worker);
        word = word.asRevealed();
        _jurors[id][word.operator()] = word.hashOf(finding);
        emit JurorRevealed(id, worker, Juror(word, finding), ownTrace);
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
        return _weigh(certificate, target, shown, hearing.jurors);
    }

    /// @inheritdoc IJury
    function jurorOf(bytes32 caseId, uint256 operator) external view returns (bytes32) {
        return _jurors[caseId][operator];
    }

    /// @inheritdoc IJury
    function check(bytes32 caseId, Juror[] calldata jurors) public view {
        uint256 count = jurorsOf[caseId];
        if (jurors.length != count) revert WrongJury(jurors.length, count);
        uint256 last;
        for (uint256 i; i < count; ++i) {
            JurorWord word = jurors[i].word;
            uint256 operator = word.operator();
            // Operators count from 1.
            if (operator <= last) revert WrongJury(jurors.length, count);
            last = operator;
            if (_jurors[caseId][operator] != word.hashOf(jurors[i].finding)) revert WrongJuror(word.worker());
        }
    }

    /// @dev Puts the slash at risk and checks the lot; answers the operator.
    function _seat(Case calldata record, bytes32 id, address worker, uint256 wave) private returns (uint256 operator) {
        FactsWord facts = record.facts;
        WorkerWord word = court.reserve(worker, record.stakes.slash(), msg.sender);
        (bytes32 seed,) = seeds.seedOf(facts.openedBlock(), facts.openedAt());
        bool seated = word.runtime() == facts.runtime() && word.activeFrom() < facts.openedBlock()
            && Lot.wins(Lot.ticket(seed, id, worker), facts.seats(), word.bond(), record.stakes.runtimeBond(), wave);
        if (!seated) revert NoSeat(worker);
        return word.operator();
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

    /// @dev An open case: reverts unless the Court holds it.
    function _openCase(Case calldata record) private view returns (bytes32 id) {
        id = record.idOf();
        uint256 word = court.caseWord(record.dealId, record.facts.batch(), record.facts.index());
        if (uint8(word) != uint8(CaseState.Open)) revert WrongState(CaseState(uint8(word)));
        if ((uint256(id) ^ word) & HASH_MASK != 0) revert WrongCase(id);
    }

    /// @dev Reverts outside the reveal window.
    function _checkReveals(FactsWord facts) private view {
        if (block.timestamp < facts.commitEnd()) revert TooEarly(facts.commitEnd());
        if (block.timestamp >= facts.revealEnd()) revert TooLate(facts.revealEnd());
    }

    /// @dev What the jury's findings come to against the certificate's group, by fresh weights. Who did not reveal opposes
    /// everything.
    function _weigh(Certificate calldata certificate, uint256 target, bytes32 shown, Juror[] calldata jurors)
        private
        pure
        returns (CaseState, bytes32, uint256)
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
            uint256 place = shown != 0 && finding == shown ? 0 : 1;
            while (place != 0 && place < count && findings[place] != finding) ++place;
            if (place == count) {
                findings[count++] = finding;
                groups[place] = Confidence.ONE;
                total += Confidence.ONE;
            }
            if (place == 0) ++agreeing;
            total -= groups[place];
            groups[place] = Confidence.times(groups[place], weight);
            total += groups[place];
        }
        for (uint256 place; place < count; ++place) {
            uint256 odds = Confidence.odds(groups[place], total - groups[place]);
            // The certificate's own group is no verdict: somebody must have shown its receipt and found the same.
            if (odds < target || (place == 0 && agreeing == 0)) continue;
            return (place == 0 ? CaseState.Upheld : CaseState.Overturned, findings[place], odds);
        }
        return (CaseState.Void, 0, 0);
    }
}
