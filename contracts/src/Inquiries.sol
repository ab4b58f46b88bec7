// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Jurors} from "./Jurors.sol";
import {IInquest} from "./interfaces/IInquest.sol";
import {IVault} from "./interfaces/IVault.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Confidence} from "./libraries/Confidence.sol";
import {Draws} from "./libraries/Draws.sol";
import {Logs} from "./libraries/Logs.sol";
import {Lot} from "./libraries/Lot.sol";
import {Claims, MemberWords} from "./libraries/MemberWords.sol";
import {Messages} from "./libraries/Messages.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {SignatureChecks} from "./libraries/SignatureChecks.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {Accusation, Case, CaseState, Docket, FactsWord} from "./types/Cases.sol";
import {Certificate, CertifiedBatch, Claim, LogItem, Status} from "./types/Certificates.sol";
import {OpenedWord, Terms} from "./types/Terms.sol";
import {MemberWord, WorkerWord} from "./types/Workers.sol";

/// @title Inquiries
/// @notice The part of {IInquest} that opens cases.
/// @dev A case is known by its id; one word more for each expired batch: {IInquest-expiryOf}.
abstract contract Inquiries is IInquest, Jurors {
    using TermsHash for Terms;
    using CaseWords for Case;

    /// @dev Bits of the committers that lost their slash: three windows of twice 32 commitments.
    uint256 private constant MARKS = (1 << 192) - 1;
    /// @dev Where the time of the last hold lies.
    uint256 private constant HELD_SHIFT = 192;
    /// @dev A case of the batch is open.
    uint256 private constant BUSY = 1 << 232;
    /// @dev Between two holds: a day less than stake is at risk at least, {WorkerWords-RISK_PERIOD}.
    uint256 private constant HOLD_PERIOD = 4 days;

    /// @notice The ledger.
    IVault public immutable vault;

    /// @inheritdoc IInquest
    mapping(bytes32 caseId => CaseState state) public stateOf;
    mapping(bytes32 dealId => mapping(uint256 batch => uint256 word)) internal _expiries;

    constructor(address vault_) {
        vault = IVault(vault_);
    }

    /// @inheritdoc IInquest
    function openExpired(Terms calldata terms, uint256 batch, bytes32 roundId, LogItem[] calldata log, uint256 index)
        external
    {
        _checkLogOf(terms, batch, roundId, log, Status.Expired);
        uint256 word = _expiries[terms.dealId][batch];
        if (word & BUSY != 0) revert WrongState(CaseState.Open);
        _expiries[terms.dealId][batch] = word | BUSY;
        Docket memory docket = _putAllAtRisk(terms, batch, log, word & MARKS);
        Case memory record;
        record.before = roundId;
        _open(record, terms, batch, index, CaseWords.EXPIRY, docket);
    }

    /// @inheritdoc IInquest
    function hold(Terms calldata terms, uint256 batch, bytes32 roundId, LogItem[] calldata log) external {
        _checkLogOf(terms, batch, roundId, log, Status.Open);
        uint256 held = _expiries[terms.dealId][batch] >> HELD_SHIFT;
        if (held == 0) held = terms.opened.time();
        if (block.timestamp < held + HOLD_PERIOD) revert TooEarly(held + HOLD_PERIOD);
        // Nothing else is written of a batch before it expires.
        _expiries[terms.dealId][batch] = block.timestamp << HELD_SHIFT;
        _putAllAtRisk(terms, batch, log, 0);
        // Fits: a batch that the Certifier has a log of.
        emit Held(terms.dealId, uint32(batch));
    }

    /// @inheritdoc IInquest
    function accuse(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        uint256 index,
        Accusation calldata accusation
    ) external {
        Certificate calldata certificate = certified.certificate;
        _checkTerms(terms, certificate);
        _authenticate(certified);
        if (block.timestamp >= certificate.finalAt) revert TooLate(certificate.finalAt);
        Case memory record;
        record.before = _roundIdOf(terms, certificate);
        record.worker = accusation.worker;
        if (!_agreed(certified.members, accusation.worker) || !_isBound(certified, accusation, record.before)) {
            revert NotBound(accusation.worker);
        }
        Docket memory docket = Docket(certified.members, new Claim[](1));
        docket.claims[0] = Claim(accusation.ownTraceRoot, certificate.fuel);
        _open(record, terms, certificate.batch, index, CaseWords.ACCUSATION, docket);
    }

    /// @inheritdoc IInquest
    function expiryOf(bytes32 dealId, uint256 batch) external view returns (uint256) {
        return _expiries[dealId][batch];
    }

    /// @dev Fills in the rest of a case, writes it down and takes the bond.
    function _open(
        Case memory record,
        Terms calldata terms,
        uint256 batch,
        uint256 index,
        uint256 kind,
        Docket memory docket
    ) private {
        uint256 tasks = terms.tasksOf(batch);
        if (index >= tasks) revert NoSuchTask(index, tasks);
        uint256 fee = terms.feeOf();
        uint256 seats = _seatsFor(_targetOf(terms), terms.policy.faultyShareBps());
        OpenedWord opened = terms.opened;
        uint256 runtime = opened.runtime();
        uint256 bond = seats * fee;
        if (bond < BOND_MIN) bond = BOND_MIN;
        record.dealId = terms.dealId;
        record.facts = CaseWords.packFacts(batch, index, 1, kind, seats, runtime, _windowOf(opened.patience()));
        record.stakes = CaseWords.packStakes(bond, workforce.runtimeBond(runtime), Payouts.slashUnits(fee), terms.pool);
        record.opener = msg.sender;
        record.seal = _hashOf(docket);
        bytes32 id = record.id();
        if (stateOf[id] != CaseState.None) revert WrongState(stateOf[id]);
        stateOf[id] = CaseState.Open;
        // Both fit: the batch has such a task.
        emit InquestOpened(terms.dealId, uint32(batch), uint32(index), record, docket);
        vault.lock(msg.sender, bond);
    }

    /// @dev Closes a case; of an expired batch another may open.
    function _close(Case calldata record, bytes32 id) internal {
        stateOf[id] = CaseState.Closed;
        FactsWord facts = record.facts;
        if (facts.kind() == CaseWords.EXPIRY) _expiries[record.dealId][facts.batch()] &= ~BUSY;
    }

    /// @dev Reverts unless these are the terms of the deal, the batch is in this status and the log is what stands there.
    function _checkLogOf(Terms calldata terms, uint256 batch, bytes32 roundId, LogItem[] calldata log, Status status)
        private
        view
    {
        _checkDeal(terms, terms.dealId);
        uint256 word = certifier.batchWord(terms.dealId, batch);
        if (uint8(word) != uint8(status)) revert WrongStatus(Status(uint8(word)));
        bytes32 stands = bytes32(word & HASH_MASK);
        bytes32 hash = Logs.hashOf(roundId, log);
        if (stands != hash) revert WrongLog(stands, hash);
    }

    /// @dev Reads a log whose reveals contradict into a docket, and puts what each revealer had reserved at risk anew, or as much
    /// as it has the room for: what it had reserved may be over, and the case must find it.
    /// @param marks Committers that lost their slash.
    function _putAllAtRisk(Terms calldata terms, uint256 batch, LogItem[] calldata log, uint256 marks)
        private
        returns (Docket memory docket)
    {
        uint256 gross = terms.fuelOf(terms.tasksOf(batch)) * terms.feePerMfuel / 1e6;
        docket = _docketOf(log, marks, Payouts.slashUnits(gross));
        if (docket.claims.length < 2) revert NoContradiction();
        WorkerWord[] memory words = workforce.settle(docket.members);
        for (uint256 i; i < words.length; ++i) {
            MemberWord member = docket.members[i];
            uint256 units = member.exposure();
            uint256 room = words[i].room();
            if (units > room) units = room;
            docket.members[i] = MemberWords.pack(member.worker(), member.claim(), 0, 0, units);
        }
    }

    /// @dev The committers of a log and the distinct claims of those that revealed and are not slashed yet.
    function _docketOf(LogItem[] calldata log, uint256 marks, uint256 units)
        private
        pure
        returns (Docket memory docket)
    {
        MemberWord[] memory members = new MemberWord[](log.length);
        Claim[] memory claims = new Claim[](log.length);
        uint256 memberCount;
        uint256 claimCount;
        for (uint256 i; i < log.length; ++i) {
            if (Logs.kindOf(log[i].word) != Logs.COMMITTED) continue;
            address worker = Logs.workerOf(log[i].word);
            uint256 revealed = _revealOf(log, worker);
            uint256 claim = revealed == log.length ? Claims.BARE : Claims.IGNORED;
            if (claim != Claims.BARE && marks >> memberCount & 1 == 0) {
                Claim memory made = Claim(log[revealed].a, uint64(log[revealed].word >> 16));
                claim = 0;
                while (claim < claimCount && (claims[claim].root != made.root || claims[claim].fuel != made.fuel)) {
                    ++claim;
                }
                if (claim == claimCount) claims[claimCount++] = made;
            }
            members[memberCount++] = MemberWords.pack(worker, claim, 0, 0, claim < claimCount ? units : 0);
        }
        assembly ("memory-safe") {
            mstore(members, memberCount)
            mstore(claims, claimCount)
        }
        return Docket(members, claims);
    }

    /// @dev Index of a worker's reveal in a log, or the log's length.
    function _revealOf(LogItem[] calldata log, address worker) private pure returns (uint256 index) {
        for (; index < log.length; ++index) {
            uint256 word = log[index].word;
            if (Logs.kindOf(word) == Logs.REVEALED && Logs.workerOf(word) == worker) return index;
        }
    }

    /// @dev Whether a worker is a member that made the certified claim.
    function _agreed(MemberWord[] calldata members, address worker) private pure returns (bool) {
        for (uint256 i; i < members.length; ++i) {
            if (members[i].worker() == worker && members[i].claim() == Claims.LEADING) return true;
        }
        return false;
    }

    /// @dev Whether a worker bound itself to the certified claim with this own trace root: its reveal stands in the log of the
    /// certificate's trail, or it signed its contribution under a list with that commitment of its own.
    function _isBound(CertifiedBatch calldata certified, Accusation calldata accusation, bytes32 roundId)
        private
        view
        returns (bool)
    {
        Certificate calldata certificate = certified.certificate;
        LogItem[] calldata log = accusation.log;
        address worker = accusation.worker;
        if (log.length != 0) {
            uint256 revealed = _revealOf(log, worker);
            return uint256(Logs.hashOf(roundId, log)) == certified.trail & HASH_MASK && revealed != log.length
                && log[revealed].a == certificate.root && uint64(log[revealed].word >> 16) == certificate.fuel
                && log[revealed].b == accusation.ownTraceRoot;
        }
        bytes32 commitment =
            Draws.commitmentOf(worker, roundId, certificate.root, certificate.fuel, accusation.ownTraceRoot);
        bytes32[] calldata list = accusation.list;
        uint256 place;
        while (
            place + 1 < list.length
                && (list[place] != bytes32(uint256(uint160(worker))) || list[place + 1] != commitment)
        ) place += 2;
        if (place + 1 >= list.length) return false;
        bytes32 listHash = keccak256(abi.encodePacked(accusation.before, list));
        bytes32 message = Messages.contribution(roundId, accusation.wave, certificate.root, certificate.fuel, listHash);
        bytes32 digest = SignatureChecks.digestOf(certifier.domainSeparator(), message);
        return SignatureChecks.isSigned(worker, digest, accusation.r, accusation.vs);
    }

    /// @dev The round that a certificate came from; its seed must be had still, so pin it in time.
    function _roundIdOf(Terms calldata terms, Certificate calldata certificate) private view returns (bytes32) {
        OpenedWord opened = certificate.attempt == 0
            ? terms.opened
            : OpenedWord.wrap(certifier.reopenedAt(terms.dealId, certificate.batch));
        (bytes32 seed,) = seeds.seedOf(opened.blockNumber(), opened.time());
        return Lot.roundId(terms.dealId, certificate.batch, certificate.attempt, seed);
    }

    /// @dev Odds that a finding must reach: there is no second jury, so those that one would need.
    function _targetOf(Terms calldata terms) internal pure returns (uint256) {
        return Confidence.target(terms.policy.confidence(), 1);
    }

    /// @dev Reverts unless the docket is the case's.
    function _checkDocket(Case calldata record, Docket calldata docket, bytes32 id) internal pure {
        Docket memory copy = docket;
        if (_hashOf(copy) != record.seal) revert WrongDocket(id);
    }

    /// @dev What a case keeps of its docket.
    function _hashOf(Docket memory docket) private pure returns (bytes32) {
        return keccak256(abi.encode(docket));
    }

    /// @inheritdoc Jurors
    function _openCase(Case calldata record) internal view override returns (bytes32 id) {
        id = record.idOf();
        if (stateOf[id] != CaseState.Open) revert WrongState(stateOf[id]);
    }

    /// @inheritdoc Jurors
    function _reserve(address worker, uint256 units, address caller) internal override returns (WorkerWord word) {
        return _putAtRisk(worker, units, caller);
    }
}
