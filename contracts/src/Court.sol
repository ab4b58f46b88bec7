// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Cases} from "./Cases.sol";
import {Judicial} from "./Judicial.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Certificates} from "./libraries/Certificates.sol";
import {Claims} from "./libraries/MemberWords.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {Purse, Purses} from "./libraries/Purses.sol";
import {ReceiptTree} from "./libraries/ReceiptTree.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {Case, CaseState, FactsWord, Hearing, Leaf, Receipt} from "./types/Cases.sol";
import {Certificate, CertifiedBatch, Status} from "./types/Certificates.sol";
import {Terms} from "./types/Terms.sol";
import {MemberWord} from "./types/Workers.sol";

/// @title Court
/// @notice Disputes, audits, juries: see {ICourt}. This file ends cases and pays; they are opened in {Cases} and heard
/// by the {Jury}.
/// @dev Money: what went in as a bond, came out of a bond or lay in escrow is in one {Purse} a call, and all of it is paid.
contract Court is Cases {
    using TermsHash for Terms;
    using CaseWords for Case;
    using CaseWords for Receipt;
    using Purses for Purse;

    /// @dev One part in ten of what contributors lose goes to who was right first.
    uint256 private constant REWARD_PART = 10;

    constructor(address vault_, address workforce_, address market_, address certifier_, address seeds_, address jury_)
        Cases(vault_, jury_)
        Judicial(workforce_, market_, certifier_, seeds_)
    {}

    /// @inheritdoc ICourt
    function decide(Certificate calldata certificate, Hearing calldata hearing) external {
        Case calldata record = hearing.record;
        FactsWord facts = record.facts;
        (bytes32 id, uint256 word) = _opened(record);
        if (block.timestamp < facts.revealEnd()) revert TooEarly(facts.revealEnd());
        _checkSubject(record, certificate);
        Certificates.check(certificate, certifier.batchWord(certificate.dealId, certificate.batch));
        (CaseState verdict, bytes32 finding, uint256 odds) = jury.weigh(certificate, hearing);
        uint256 hash = uint256(keccak256(abi.encode(id, finding))) & HASH_MASK;
        _cases[record.dealId][facts.place()] = hash | (word & AUDITED) | uint256(verdict);
        emit Decided(id, verdict, finding, odds);
    }

    /// @inheritdoc ICourt
    function finalize(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Hearing[] calldata hearings,
        bytes32 finding
    ) external {
        CaseState verdict = _close(terms, certified, hearings, finding);
        uint256 most = 2 * certified.members.length + 2 * hearings.length;
        for (uint256 i; i < hearings.length; ++i) {
            most += hearings[i].jurors.length;
        }
        Purse memory purse = Purses.open(most);
        _answerOpenings(purse, hearings, verdict);
        if (verdict == CaseState.Upheld) _payUpheld(purse, terms, certified, hearings, finding);
        else if (verdict == CaseState.Void) _payVoid(purse, terms, certified, hearings);
        else _payOverturned(purse, terms, certified, hearings, finding);
        _pay(purse, terms.pool);
    }

    /// @inheritdoc ICourt
    function dismiss(Case[] calldata records, bytes32 finding) external {
        Case calldata record = records[0];
        FactsWord facts = record.facts;
        uint256 batch = facts.batch();
        uint256 word = _cases[record.dealId][facts.place()];
        if (uint8(word) == uint8(CaseState.Open)) _opened(record);
        else _decided(record, finding);
        _checkAppealed(records.length, record, records[records.length - 1]);
        Status status = Status(uint8(certifier.batchWord(record.dealId, batch)));
        if (status != Status.Void) revert WrongState(CaseState(uint8(word)));
        _writeClosed(record, word, CaseState.Void);
        Purse memory purse = Purses.open(records.length);
        for (uint256 i; i < records.length; ++i) {
            _answerOpening(purse, records[i], false);
        }
        _pay(purse, record.stakes.pool());
    }

    /// @inheritdoc ICourt
    function disprove(Terms calldata terms, CertifiedBatch calldata certified, Leaf[] calldata leaves) external {
        Certificate calldata certificate = certified.certificate;
        if (_authenticate(certified) == Status.Final || block.timestamp >= certificate.finalAt) {
            revert TooLate(certificate.finalAt);
        }
        _checkTerms(terms, certificate);
        uint256 tasks = terms.tasksOf(certificate.batch);
        for (uint256 i; i < leaves.length; ++i) {
            Leaf calldata leaf = leaves[i];
            if (!ReceiptTree.verify(certificate.root, leaf.receipt.leafOf(), leaf.path, tasks, leaf.proof)) {
                revert WrongReceipt(leaf.path);
            }
        }
        if (!_contradicts(certificate, leaves, tasks, terms.fuelLimit)) revert NoFault();
        emit Disproved(certificate.dealId, certificate.batch, leaves[0].path, msg.sender);
        certifier.setStatus(certificate, Status.Disputed);
        certifier.setStatus(certificate, Status.Void);
        Purse memory purse = Purses.open(certified.members.length + 3);
        uint256 slashed = _slashContributors(purse, certified);
        _payCost(purse, terms, certified);
        purse.giveOfPot(uint160(msg.sender), slashed / REWARD_PART);
        purse.giveOfPot(uint160(terms.payer), purse.pot);
        _pay(purse, terms.pool);
    }

    /// @dev Checks that the verdict stands, moves the batch by it and closes the case.
    function _close(
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Hearing[] calldata hearings,
        bytes32 finding
    ) private returns (CaseState verdict) {
        Certificate calldata certificate = certified.certificate;
        Case calldata record = hearings[0].record;
        (bytes32 id, uint256 word) = _decided(record, finding);
        FactsWord facts = record.facts;
        if (block.timestamp < facts.appealEnd()) revert TooEarly(facts.appealEnd());
        _checkTerms(terms, certificate);
        _authenticate(certified);
        _checkSubject(record, certificate);
        _checkAppealed(hearings.length, record, hearings[hearings.length - 1].record);
        jury.check(id, hearings[0].jurors);
        if (hearings.length == 2) jury.check(record.before, hearings[1].jurors);
        verdict = CaseState(uint8(word));
        _writeClosed(record, word, verdict);
        uint256 others = _others[record.dealId][certificate.batch];
        if (verdict != CaseState.Upheld) certifier.setStatus(certificate, Status.Void);
        else if (others == 0) certifier.setStatus(certificate, Status.Provisional);
        else _others[record.dealId][certificate.batch] = others - 1;
    }

    /// @dev Closes a case; the mark of an audit stays.
    function _writeClosed(Case calldata record, uint256 word, CaseState verdict) private {
        FactsWord facts = record.facts;
        _cases[record.dealId][facts.place()] = (word & AUDITED) | uint256(CaseState.Closed);
        emit CaseClosed(record.dealId, uint32(facts.batch()), uint32(facts.index()), verdict);
    }

    /// @dev What answered for each opening comes back or is lost. Lost by: a challenge of what was upheld; an appeal against
    /// what the second jury confirmed; where nothing prevailed, an opener that did not show what it had sealed.
    function _answerOpenings(Purse memory purse, Hearing[] calldata hearings, CaseState verdict) private {
        for (uint256 i; i < hearings.length; ++i) {
            Case calldata record = hearings[i].record;
            uint256 appealed = record.facts.verdictBefore();
            bool lost;
            if (verdict == CaseState.Void) lost = jury.sealOpened(record.idOf()) == 0;
            else if (appealed != 0) lost = appealed == uint256(verdict);
            else lost = verdict == CaseState.Upheld;
            _answerOpening(purse, record, lost);
        }
    }

    /// @dev One opening's bond, stake or fund.
    function _answerOpening(Purse memory purse, Case calldata record, bool lost) private {
        uint256 amount = record.stakes.bond();
        uint256 kind = record.facts.kind();
        if (kind == CaseWords.AUDIT) {
            purse.fund += amount;
        } else if (kind == CaseWords.STAKED) {
            if (lost) purse.pot += _punish(record, record.worker, amount / WorkerWords.BOND_UNIT);
        } else if (lost) {
            purse.pot += amount;
        } else {
            purse.give(uint160(record.opener), amount);
        }
    }

    /// @dev The certificate stands: the right jurors are paid, what is left goes to its contributors in equal parts, what
    /// does not divide to the payer. An audit that agrees earns them reputation.
    function _payUpheld(
        Purse memory purse,
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Hearing[] calldata hearings,
        bytes32 finding
    ) private {
        _punishJurors(purse, hearings, finding);
        _payJurors(purse, terms, hearings, finding, false);
        _share(purse, terms, certified);
        if (hearings[hearings.length - 1].record.facts.kind() == CaseWords.AUDIT) _earn(terms, certified);
    }

    /// @dev The certificate falls: the payer has its cost back, then the right jurors, then who was right first; the rest is
    /// the payer's.
    function _payOverturned(
        Purse memory purse,
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Hearing[] calldata hearings,
        bytes32 finding
    ) private {
        uint256 slashed = _slashContributors(purse, certified);
        _punishJurors(purse, hearings, finding);
        _payCost(purse, terms, certified);
        _payJurors(purse, terms, hearings, finding, false);
        for (uint256 i = hearings.length; i > 0; --i) {
            Case calldata record = hearings[i - 1].record;
            bool right = record.facts.kind() == CaseWords.AUDIT || jury.sealOpened(record.idOf()) == finding;
            if (!right) continue;
            purse.giveOfPot(uint160(record.opener), slashed / REWARD_PART);
            break;
        }
        purse.giveOfPot(uint160(terms.payer), purse.pot);
    }

    /// @dev Nothing prevailed: slashes in escrow come back, the payer gets what contributors got for the execution. Who
    /// revealed is paid from what an opener lost, or from what the protocol gave.
    function _payVoid(
        Purse memory purse,
        Terms calldata terms,
        CertifiedBatch calldata certified,
        Hearing[] calldata hearings
    ) private {
        _payJurors(purse, terms, hearings, 0, true);
        _share(purse, terms, certified);
        uint256 net = _sharesOf(terms, certified).net;
        uint256 units = (net + WorkerWords.BOND_UNIT - 1) / WorkerWords.BOND_UNIT;
        uint256 paid = terms.policy.replicasMax();
        for (uint256 i; i < certified.members.length; ++i) {
            MemberWord member = certified.members[i];
            if (member.claim() == Claims.LEADING) {
                if (paid == 0 || net == 0) continue;
                --paid;
                uint256 taken = workforce.takeBack(member.worker(), units, certified.certificate.certifiedAt)
                    * WorkerWords.BOND_UNIT;
                uint256 refund = taken < net ? taken : net;
                purse.give(uint160(terms.payer), refund);
                if (taken != refund) purse.give(_accountOf(member.worker()), taken - refund);
            } else if (member.slash() != 0) {
                purse.give(_accountOf(member.worker()), member.slash() * WorkerWords.BOND_UNIT);
            }
        }
    }

    /// @dev Takes all that contributors have at risk behind the certificate; of the slashes in escrow those of the silent are
    /// lost too, the others come back. Answers what the contributors lost.
    function _slashContributors(Purse memory purse, CertifiedBatch calldata certified)
        private
        returns (uint256 slashed)
    {
        uint256 silent;
        for (uint256 i; i < certified.members.length; ++i) {
            MemberWord member = certified.members[i];
            uint256 claim = member.claim();
            uint256 escrowed = member.slash() * WorkerWords.BOND_UNIT;
            if (claim == Claims.LEADING) {
                uint256 units = workforce.punish(member.worker(), member.exposure(), certified.certificate.certifiedAt);
                emit Punished(certified.certificate.dealId, certified.certificate.batch, member.worker(), units);
                slashed += units * WorkerWords.BOND_UNIT;
            } else if (claim == Claims.BARE || claim == Claims.LOST || claim == Claims.IGNORED_BARE) {
                silent += escrowed;
            } else if (escrowed != 0) {
                purse.give(_accountOf(member.worker()), escrowed);
            }
        }
        purse.addSlashed(slashed + silent);
    }

    /// @dev Who found otherwise or did not reveal loses its slash and its reputation.
    function _punishJurors(Purse memory purse, Hearing[] calldata hearings, bytes32 finding) private {
        uint256 slashed;
        for (uint256 i; i < hearings.length; ++i) {
            slashed += _slashJurors(hearings[i], finding);
        }
        purse.addSlashed(slashed);
    }

    /// @dev Pays each right juror the fee, or an equal part of what there is; all that revealed where `all` says so.
    function _payJurors(
        Purse memory purse,
        Terms calldata terms,
        Hearing[] calldata hearings,
        bytes32 finding,
        bool all
    ) private pure {
        uint256 count;
        for (uint256 i; i < hearings.length; ++i) {
            count += _countEarning(hearings[i].jurors, finding, all);
        }
        uint256 each = purse.takeEach(terms.feeOf(), count);
        for (uint256 i; i < hearings.length; ++i) {
            _giveJurors(purse, hearings[i].jurors, finding, all, each);
        }
    }

    /// @dev Gives the pot to the contributors in equal parts, what does not divide to the payer.
    function _share(Purse memory purse, Terms calldata terms, CertifiedBatch calldata certified) private view {
        uint256 each = purse.pot / certified.certificate.seats;
        for (uint256 i; each != 0 && i < certified.members.length; ++i) {
            if (certified.members[i].claim() != Claims.LEADING) continue;
            purse.giveOfPot(_accountOf(certified.members[i].worker()), each);
        }
        purse.giveOfPot(uint160(terms.payer), purse.pot);
    }

    /// @dev Gives the payer what the batch cost it, as far as the pot goes.
    function _payCost(Purse memory purse, Terms calldata terms, CertifiedBatch calldata certified) private pure {
        uint256 prices = terms.pricesOf(terms.tasksOf(certified.certificate.batch));
        uint256 cost = _paidOf(terms, certified) * _sharesOf(terms, certified).gross + prices;
        purse.giveOfPot(uint160(terms.payer), cost);
    }

    /// @dev Reputation of contributors of wave 0 in an audited certificate: a point for each bond unit that it brought the
    /// protocol, as many at most as halve the odds of a fault, never where their operator has a part in the deal.
    function _earn(Terms calldata terms, CertifiedBatch calldata certified) private {
        uint256 cut = _paidOf(terms, certified) * _sharesOf(terms, certified).protocolCut;
        uint256 points = Payouts.pointsOf(cut, terms.opened.reputationStep());
        if (points == 0) return;
        for (uint256 i; i < certified.members.length; ++i) {
            MemberWord member = certified.members[i];
            if (member.claim() != Claims.LEADING || member.wave() != 0) continue;
            if (_isParty(terms, workforce.operatorAddress(uint32(_operatorOf(member.worker()))))) continue;
            workforce.earn(member.worker(), terms.pool, points);
        }
    }

    /// @dev Whether leaves cannot be those of an honest batch.
    function _contradicts(Certificate calldata certificate, Leaf[] calldata leaves, uint256 tasks, uint256 fuelLimit)
        private
        pure
        returns (bool)
    {
        uint256 path = leaves[0].path;
        Receipt calldata receipt = leaves[0].receipt;
        if (leaves.length == 2) {
            Receipt calldata next = leaves[1].receipt;
            return leaves[1].path == path + 1 && next.cumulativeFuel != uint256(receipt.cumulativeFuel) + next.fuel;
        }
        return receipt.index != path || receipt.fuel > fuelLimit
            || (path == 0 && receipt.cumulativeFuel != receipt.fuel)
            || (path == tasks - 1 && receipt.cumulativeFuel != certificate.fuel);
    }

    /// @dev Executions that the certificate paid.
    function _paidOf(Terms calldata terms, CertifiedBatch calldata certified) private pure returns (uint256) {
        uint256 most = terms.policy.replicasMax();
        uint256 seats = certified.certificate.seats;
        return seats < most ? seats : most;
    }

    /// @dev How the certificate split the fee of an execution.
    function _sharesOf(Terms calldata terms, CertifiedBatch calldata certified)
        private
        pure
        returns (Payouts.Shares memory)
    {
        return Payouts.sharesOf(
            certified.certificate.fuel, terms.feePerMfuel, terms.opened.poolShareBps(), terms.opened.protocolFeeBps()
        );
    }

    /// @dev The account of a worker's operator.
    function _accountOf(address worker) private view returns (uint160) {
        return Accounts.ofOperator(_operatorOf(worker));
    }

    /// @dev Pays the purse out; what is left of the fund goes back to the protocol's part of the pool's fees.
    function _pay(Purse memory purse, uint256 pool) private {
        uint256 fund = purse.fund;
        vault.pay(purse.close(), fund == 0 ? 0 : pool, fund << 128);
    }
}
