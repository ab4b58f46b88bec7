// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Judicial} from "./Judicial.sol";
import {ICertifier} from "./interfaces/ICertifier.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {IJury} from "./interfaces/IJury.sol";
import {IVault} from "./interfaces/IVault.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Confidence} from "./libraries/Confidence.sol";
import {Draws, Round} from "./libraries/Draws.sol";
import {Lot} from "./libraries/Lot.sol";
import {Claims} from "./libraries/MemberWords.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {Case, CaseState, FactsWord} from "./types/Cases.sol";
import {Certificate, CertifiedBatch, Status} from "./types/Certificates.sol";
import {CaseTermsWord, OpenedWord, Terms} from "./types/Terms.sol";
import {MemberWord, WorkerWord} from "./types/Workers.sol";

/// @title Cases
/// @notice The part of {ICourt} that opens cases: disputes, appeals, audits.
/// @dev One slot a task: {ICourt-caseWord}. It holds the id's upper bits while the case is open, those of the hash of id and
/// finding once there is a verdict.
abstract contract Cases is ICourt, Judicial {
    using Draws for Round;
    using CaseWords for Case;

    /// @dev Blocks after the certificate's whose seed says whether it is audited. A block hash of kind 1 is known one block
    /// later; the prevrandao of kind 2 is that of the block after, which the proposer of the block before can foresee.
    /// So nobody who orders the certificate's own block knows it, of either kind.
    uint256 private constant AUDIT_DELAY = 2;
    /// @dev One certificate in 2^4 is audited.
    uint256 private constant AUDIT_SHIFT = 252;
    /// @dev Mark of a task that was audited, in its slot.
    uint256 internal constant AUDITED = 1 << 16;

    /// @notice The ledger.
    IVault public immutable vault;
    /// @notice Who sits and what they find.
    IJury public immutable jury;

    /// @dev By {CaseWords-place}.
    mapping(bytes32 dealId => mapping(uint256 place => uint256 word)) internal _cases;
    /// @dev Cases of a batch beside the first that is not closed: most batches have none.
    mapping(bytes32 dealId => mapping(uint256 batch => uint256 count)) internal _others;

    constructor(address vault_, address jury_) {
        vault = IVault(vault_);
        jury = IJury(jury_);
    }

    /// @inheritdoc ICourt
    function openDispute(
        Certificate calldata certificate,
        bytes32 roster,
        CaseTermsWord caseTerms,
        uint256 index,
        bytes32 seal
    ) external {
        Certificates.checkMembers(certificate, roster, caseTerms);
        Case memory record;
        uint256 bond = _draft(record, certificate, caseTerms, index, CaseWords.BONDED, 1);
        record.seal = seal;
        _open(record, certificate);
        vault.lock(msg.sender, bond);
    }

    /// @inheritdoc ICourt
    function openDisputeAsWorker(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        uint256 index,
        bytes32 seal,
        address worker
    ) external {
        _checkTerms(terms, certified.certificate);
        _authenticate(certified);
        Case memory record;
        _draft(record, certified.certificate, certified.caseTerms, index, CaseWords.STAKED, 1);
        record.seal = seal;
        _answer(record, terms, certified, worker, 1);
        _open(record, certified.certificate);
    }

    /// @inheritdoc ICourt
    function openAudit(CertifiedBatch calldata certified) external {
        Certificate calldata certificate = certified.certificate;
        _authenticate(certified);
        (bytes32 seed,) = seeds.seedOf(uint40(certified.trail) + AUDIT_DELAY, certificate.certifiedAt);
        bytes32 draw =
            keccak256(abi.encode(seed, certificate.dealId, uint256(certificate.batch), uint256(certificate.attempt)));
        if (uint256(draw) >> AUDIT_SHIFT != 0) revert NotDrawn(draw);
        CaseTermsWord caseTerms = certified.caseTerms;
        uint256 index = uint128(uint256(draw)) % caseTerms.tasks();
        uint256 place = CaseWords.placeOf(certificate.batch, index);
        uint256 word = _cases[certificate.dealId][place];
        if (word & AUDITED != 0) revert Audited(index);
        Case memory record;
        uint256 most = _draft(record, certificate, caseTerms, index, CaseWords.AUDIT, 1);
        _cases[certificate.dealId][place] = word | AUDITED;
        record.stakes = record.stakes.withBond(vault.drawFees(caseTerms.pool(), most));
        _open(record, certificate);
    }

    /// @inheritdoc ICourt
    function appeal(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Case calldata before,
        bytes32 finding,
        bytes32 seal,
        address worker
    ) external {
        Certificate calldata certificate = certified.certificate;
        _checkTerms(terms, certificate);
        _authenticate(certified);
        FactsWord facts = before.facts;
        (bytes32 id, uint256 word) = _decided(before, finding);
        uint256 index = facts.index();
        _checkSubject(before, certificate);
        if (facts.level() != 1 || block.timestamp >= facts.appealEnd()) revert TooLate(facts.appealEnd());
        Case memory record;
        uint256 kind = worker == address(0) ? CaseWords.BONDED : CaseWords.STAKED;
        uint256 bond = _draft(record, certificate, certified.caseTerms, index, kind, 2);
        record.facts = record.facts.after_(uint8(word));
        record.seal = seal;
        record.before = id;
        if (kind == CaseWords.STAKED) _answer(record, terms, certified, worker, 2);
        _store(record, word);
        if (kind == CaseWords.BONDED) vault.lock(msg.sender, bond);
    }

    /// @inheritdoc ICourt
    function frozen(bytes32 dealId, uint256 batch, uint256 index) external view returns (bool) {
        return _isLive(_cases[dealId][CaseWords.placeOf(batch, index)]);
    }

    /// @inheritdoc ICourt
    function caseWord(bytes32 dealId, uint256 batch, uint256 index) external view returns (uint256) {
        return _cases[dealId][CaseWords.placeOf(batch, index)];
    }

    /// @inheritdoc ICourt
    function reserve(address worker, uint256 units, address caller) external returns (WorkerWord word) {
        if (msg.sender != address(jury)) revert NotAllowed(msg.sender);
        return _putAtRisk(worker, units, caller);
    }

    /// @dev Fills in what follows from the certificate and what it covers of the terms; answers the bond.
    function _draft(
        Case memory record,
        Certificate calldata certificate,
        CaseTermsWord caseTerms,
        uint256 index,
        uint256 kind,
        uint256 level
    ) private view returns (uint256 bond) {
        if (index >= caseTerms.tasks()) revert NoSuchTask(index, caseTerms.tasks());
        uint256 fee = caseTerms.fee();
        uint256 seats = _seatsOf(certificate, level);
        uint256 runtime = caseTerms.runtime();
        uint256 window = _windowOf(caseTerms.patience());
        record.dealId = certificate.dealId;
        record.facts = CaseWords.packFacts(certificate.batch, index, level, kind, seats, runtime, window);
        bond = seats * fee;
        if (bond < BOND_MIN && kind != CaseWords.AUDIT) bond = BOND_MIN;
        bond *= level;
        uint256 runtimeBond = workforce.runtimeBond(runtime);
        record.stakes = CaseWords.packStakes(bond, runtimeBond, Payouts.slashUnits(fee), caseTerms.pool());
        record.opener = msg.sender;
    }

    /// @dev Freezes the task of a certificate whose window is open, and writes the case down.
    function _open(Case memory record, Certificate calldata certificate) private {
        if (block.timestamp >= certificate.finalAt) revert TooLate(certificate.finalAt);
        uint256 word = _cases[record.dealId][record.facts.place()];
        if (_isLive(word)) revert WrongState(CaseState(uint8(word)));
        Status from = _setDisputed(certificate);
        if (from == Status.Disputed) ++_others[record.dealId][certificate.batch];
        _store(record, word);
    }

    /// @dev {ICertifier-setStatus} without the encoder's loop over our own words.
    function _setDisputed(Certificate calldata certificate) private returns (Status from) {
        address target = address(certifier);
        bytes4 selector = ICertifier.setStatus.selector;
        uint256 to = uint256(Status.Disputed);
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, selector)
            calldatacopy(add(free, 4), certificate, 480)
            mstore(add(free, 484), to)
            if iszero(call(gas(), target, 0, free, 516, 0, 32)) {
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
            from := mload(0)
        }
    }

    /// @dev Writes a case into its task's slot. Nobody has committed yet.
    function _store(Case memory record, uint256 word) private {
        FactsWord facts = record.facts;
        uint256 hash = uint256(record.id()) & HASH_MASK;
        _cases[record.dealId][facts.place()] = hash | (word & AUDITED) | uint256(CaseState.Open);
        // Both fit 32 bits: they came out of such fields.
        emit CaseOpened(record.dealId, uint32(facts.batch()), uint32(facts.index()), record);
    }

    /// @dev Lets a worker's stake answer for an opening, at level 2 with twice as much.
    function _answer(
        Case memory record,
        Terms calldata terms,
        CertifiedBatch calldata certified,
        address worker,
        uint256 level
    ) private {
        uint256 gross = uint256(certified.certificate.fuel) * terms.feePerMfuel / 1e6;
        uint256 units = level * Payouts.slashUnits(gross);
        WorkerWord word = _putAtRisk(worker, units, msg.sender);
        _checkEntitled(terms, certified, worker, word);
        record.worker = worker;
        record.stakes = record.stakes.withBond(units * WorkerWords.BOND_UNIT);
    }

    /// @dev Reverts unless the worker had a seat that the certificate does without, or stands there with a claim that
    /// another member makes too.
    function _checkEntitled(Terms calldata terms, CertifiedBatch calldata certified, address worker, WorkerWord word)
        private
        view
    {
        MemberWord[] calldata members = certified.members;
        for (uint256 i; i < members.length; ++i) {
            if (members[i].worker() != worker) continue;
            uint256 claim = members[i].claim();
            if (claim != Claims.LEADING && claim < Claims.IGNORED_BARE && _makers(members, claim) > 1) return;
            revert NotEntitled(worker);
        }
        Round memory round;
        round.attempt = certified.certificate.attempt;
        round.opened = round.attempt == 0
            ? terms.opened
            : OpenedWord.wrap(certifier.reopenedAt(terms.dealId, certified.certificate.batch));
        (round.seed,) = seeds.seedOf(round.opened.blockNumber(), round.opened.time());
        round.id = Lot.roundId(terms.dealId, certified.certificate.batch, round.attempt, round.seed);
        round.aim(terms);
        if (!round.hasSeat(terms.pool, worker, word, 0)) revert NotEntitled(worker);
    }

    /// @dev How many members make a claim; each has another operator, or it would have been left out.
    function _makers(MemberWord[] calldata members, uint256 claim) private pure returns (uint256 count) {
        for (uint256 i; i < members.length; ++i) {
            if (members[i].claim() == claim) ++count;
        }
    }

    /// @dev Seats of the jury that can overturn the certificate.
    function _seatsOf(Certificate calldata certificate, uint256 level) private pure returns (uint256) {
        uint256 target = CaseWords.targetOf(certificate, level) * (Confidence.ONE + certificate.odds) / Confidence.ONE;
        return _seatsFor(target, certificate.policy.faultyShareBps());
    }

    /// @dev Whether a slot's case is not closed.
    function _isLive(uint256 word) internal pure returns (bool) {
        uint256 state = uint8(word);
        return state != uint256(CaseState.None) && state != uint256(CaseState.Closed);
    }

    /// @dev An open case: reverts unless the record is what the slot holds.
    function _opened(Case calldata record) internal view returns (bytes32 id, uint256 word) {
        id = record.idOf();
        word = _cases[record.dealId][record.facts.place()];
        if (uint8(word) != uint8(CaseState.Open)) revert WrongState(CaseState(uint8(word)));
        if ((uint256(id) ^ word) & HASH_MASK != 0) revert WrongCase(id);
    }

    /// @dev A decided case: reverts unless record and finding are what the slot holds.
    function _decided(Case calldata record, bytes32 finding) internal view returns (bytes32 id, uint256 word) {
        id = record.idOf();
        word = _cases[record.dealId][record.facts.place()];
        CaseState state = CaseState(uint8(word));
        if (!_isLive(word) || state == CaseState.Open) revert WrongState(state);
        if ((uint256(keccak256(abi.encode(id, finding))) ^ word) & HASH_MASK != 0) revert WrongCase(id);
    }
}
