// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Judicial} from "./Judicial.sol";
import {IJurors} from "./interfaces/IJurors.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Confidence} from "./libraries/Confidence.sol";
import {Lot} from "./libraries/Lot.sol";
import {Case, CaseState, FactsWord, Juror, JurorWord} from "./types/Cases.sol";
import {WorkerWord} from "./types/Workers.sol";

/// @title Jurors
/// @notice Who sits on the jury of a case and what it found, in {Jury} and {Inquest} alike: see {IJurors}.
/// @dev A juror's slot holds the hash of its word and commitment, then of its word and finding: jurors that commit in one
/// block do not get in each other's way.
abstract contract Jurors is IJurors, Judicial {
    using CaseWords for Case;

    /// @dev Jurors of a case at most: twice the seats that the largest jury aims at.
    uint256 private constant JURORS_MAX = 64;

    mapping(bytes32 caseId => mapping(uint256 operator => bytes32 hash)) internal _jurors;
    /// @inheritdoc IJurors
    mapping(bytes32 caseId => uint256 count) public jurorsOf;

    /// @inheritdoc IJurors
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

    /// @inheritdoc IJurors
    function jurorOf(bytes32 caseId, uint256 operator) external view returns (bytes32) {
        return _jurors[caseId][operator];
    }

    /// @inheritdoc IJurors
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

    /// @dev An open case: reverts unless it is one.
    function _openCase(Case calldata record) internal view virtual returns (bytes32 id);

    /// @dev Puts stake of a juror at risk; answers its word as it was.
    function _reserve(address worker, uint256 units, address caller) internal virtual returns (WorkerWord word);

    /// @dev Lets a worker sit on a jury whose commit windows are open: puts its slash at risk, checks the lot and writes its
    /// commitment down. Answers its operator; who has a part in the case is the caller's to refuse.
    function _sit(Case calldata record, bytes32 id, address worker, bytes32 commitment)
        internal
        returns (uint256 operator)
    {
        FactsWord facts = record.facts;
        uint256 wave = (block.timestamp - facts.openedAt()) / facts.window();
        if (wave > Lot.WAVE_MAX) revert TooLate(facts.commitEnd());
        operator = _seat(record, id, worker, wave);
        _write(id, CaseWords.packJuror(worker, operator, wave), commitment);
    }

    /// @dev Writes a juror down that has its seat.
    function _write(bytes32 id, JurorWord juror, bytes32 commitment) private {
        uint256 count = jurorsOf[id];
        if (count == JURORS_MAX) revert TooMany(count, JURORS_MAX);
        uint256 operator = juror.operator();
        if (_jurors[id][operator] != 0) revert SameOperator(juror.worker());
        _jurors[id][operator] = juror.hashOf(commitment);
        jurorsOf[id] = count + 1;
        emit JurorCommitted(id, juror.worker(), Juror(juror, commitment));
    }

    /// @dev Puts the slash at risk and checks the lot; answers the operator.
    function _seat(Case calldata record, bytes32 id, address worker, uint256 wave) private returns (uint256 operator) {
        FactsWord facts = record.facts;
        WorkerWord word = _reserve(worker, record.stakes.slash(), msg.sender);
        (bytes32 seed,) = seeds.seedOf(facts.openedBlock(), facts.openedAt());
        bool seated = word.runtime() == facts.runtime() && word.activeFrom() < facts.openedBlock()
            && Lot.wins(Lot.ticket(seed, id, worker), facts.seats(), word.bond(), record.stakes.runtimeBond(), wave);
        if (!seated) revert NoSeat(worker);
        return word.operator();
    }

    /// @dev Reverts outside the reveal window.
    function _checkReveals(FactsWord facts) internal view {
        if (block.timestamp < facts.commitEnd()) revert TooEarly(facts.commitEnd());
        if (block.timestamp >= facts.revealEnd()) revert TooLate(facts.revealEnd());
    }

    /// @dev What the jury's findings come to against the certificate's group, by fresh weights. Who did not reveal opposes
    /// everything.
    /// @param before Weight of the certificate's group; zero where no certificate is judged.
    /// @param shown What the certificate says; zero when nobody showed it.
    function _weigh(uint256 before, uint256 faultyShareBps, uint256 target, bytes32 shown, Juror[] calldata jurors)
        internal
        pure
        returns (CaseState, bytes32, uint256)
    {
        // The first place is the certificate's, whether its receipt was shown or not.
        bytes32[] memory findings = new bytes32[](jurors.length + 1);
        uint256[] memory groups = new uint256[](jurors.length + 1);
        findings[0] = shown;
        groups[0] = before;
        uint256 count = 1;
        uint256 agreeing;
        uint256 total = groups[0];
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
