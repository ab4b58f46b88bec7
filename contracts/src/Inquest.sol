// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Inquiries} from "./Inquiries.sol";
import {Judicial} from "./Judicial.sol";
import {IInquest} from "./interfaces/IInquest.sol";
import {Accounts} from "./libraries/Accounts.sol";
import {CaseWords} from "./libraries/CaseWords.sol";
import {Claims, MemberWords} from "./libraries/MemberWords.sol";
import {Payouts} from "./libraries/Payouts.sol";
import {Purse, Purses} from "./libraries/Purses.sol";
import {ReceiptTree} from "./libraries/ReceiptTree.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {WorkerWords} from "./libraries/WorkerWords.sol";
import {Case, CaseState, Docket, FactsWord, Hearing, Leaf, Receipt} from "./types/Cases.sol";
import {Claim} from "./types/Certificates.sol";
import {Terms} from "./types/Terms.sol";
import {MemberWord} from "./types/Workers.sol";

/// @title Inquest
/// @notice Cases over what no certificate answers for: see {IInquest}. This file hears them and pays; they are opened in
/// {Inquiries}.
/// @dev Money: the bond and what was slashed is in one {Purse} a call, and all of it is paid.
contract Inquest is Inquiries {
    using TermsHash for Terms;
    using CaseWords for Case;
    using CaseWords for Receipt;
    using Purses for Purse;

    /// @dev What a false own trace costs: so many times what a dissenter loses. The jury of a batch of one task is paid whole out
    /// of it, the burnt fifth gone; and copying does not pay where one contribution in twenty is called before a jury.
    uint256 private constant FALSE_TRACE = 10;
    /// @dev One part in ten of what a false own trace costs goes to who called it.
    uint256 private constant REWARD_PART = 10;

    /// @inheritdoc IInquest
    mapping(bytes32 caseId => mapping(uint256 claim => bytes32 finding)) public claimShown;

    constructor(address vault_, address workforce_, address market_, address certifier_, address seeds_)
        Inquiries(vault_)
        Judicial(workforce_, market_, certifier_, seeds_)
    {}

    /// @inheritdoc IInquest
    function commit(
        Terms calldata terms,
        Case calldata record,
        Docket calldata docket,
        address worker,
        bytes32 commitment
    ) external {
        bytes32 id = _openCase(record);
        _checkDeal(terms, record.dealId);
        _checkDocket(record, docket, id);
        uint256 operator = _sit(record, id, worker, commitment);
        // Fits: a worker's word has 32 bits for it.
        address who = workforce.operatorAddress(uint32(operator));
        bool excluded = _isParty(terms, who) || record.opener == who;
        for (uint256 i; i < docket.members.length; ++i) {
            excluded = excluded || _operatorOf(docket.members[i].worker()) == operator;
        }
        if (excluded) revert Excluded(worker);
    }

    /// @inheritdoc IInquest
    function showReceipt(
        Terms calldata terms,
        Case calldata record,
        Docket calldata docket,
        uint256 claim,
        Leaf[] calldata leaves
    ) external {
        FactsWord facts = record.facts;
        if (!_couldBeHonest(terms, docket.claims[claim], facts, leaves)) revert WrongReceipt(facts.index());
        bytes32 id = _shows(terms, record, docket, CaseWords.EXPIRY);
        _show(id, claim, leaves[leaves.length - 1].receipt.findingOf());
    }

    /// @inheritdoc IInquest
    function showTrace(
        Terms calldata terms,
        Case calldata record,
        Docket calldata docket,
        bytes32 trace,
        bytes32[] calldata proof
    ) external {
        bytes32 id = _shows(terms, record, docket, CaseWords.ACCUSATION);
        FactsWord facts = record.facts;
        uint256 index = facts.index();
        uint256 tasks = terms.tasksOf(facts.batch());
        if (!ReceiptTree.verify(docket.claims[0].root, trace, index, tasks, proof)) revert WrongReceipt(index);
        _show(id, 0, trace);
    }

    /// @inheritdoc IInquest
    function finalize(Terms calldata terms, Docket calldata docket, Hearing calldata hearing) external {
        (bool found, bytes32 finding) = _judge(terms, docket, hearing);
        Purse memory purse = Purses.open(docket.members.length + hearing.jurors.length);
        if (found) _payFound(purse, terms, docket, hearing, finding);
        else purse.give(uint160(hearing.record.opener), hearing.record.stakes.bond());
        vault.pay(purse.close(), 0, 0);
    }

    /// @dev Closes a case whose windows are over; answers whether its jury found anything, and what.
    function _judge(Terms calldata terms, Docket calldata docket, Hearing calldata hearing)
        private
        returns (bool found, bytes32 finding)
    {
        Case calldata record = hearing.record;
        bytes32 id = _openCase(record);
        if (block.timestamp < record.facts.revealEnd()) revert TooEarly(record.facts.revealEnd());
        _checkDeal(terms, record.dealId);
        _checkDocket(record, docket, id);
        check(id, hearing.jurors);
        CaseState verdict;
        uint256 odds;
        (verdict, finding, odds) = _weigh(0, terms.policy.faultyShareBps(), _targetOf(terms), 0, hearing.jurors);
        found = verdict != CaseState.Void;
        _close(record, id);
        emit InquestClosed(id, found, finding, odds);
    }

    /// @dev Pays by what a jury found: first the right jurors; then, over an expired batch, those that were right; of a false
    /// own trace the payer for an execution that was none, and who called it. The rest is the payer's, where an accusation was
    /// wrong the accused's.
    function _payFound(
        Purse memory purse,
        Terms calldata terms,
        Docket calldata docket,
        Hearing calldata hearing,
        bytes32 finding
    ) private {
        Case calldata record = hearing.record;
        bool expiry = record.facts.kind() == CaseWords.EXPIRY;
        (bool[] memory right, uint256 count) = _rightOf(terms, record, docket, finding);
        bool upheld = count == right.length;
        uint256 slashed;
        if (upheld) {
            purse.pot = record.stakes.bond();
        } else {
            purse.give(uint160(record.opener), record.stakes.bond());
            slashed = expiry ? _slashLiars(record, docket, right) : _slashAccused(terms, record, docket);
        }
        purse.addSlashed(slashed + _slashJurors(hearing, finding));
        uint256 each = purse.takeEach(terms.feeOf(), _countEarning(hearing.jurors, finding, false));
        _giveJurors(purse, hearing.jurors, finding, false, each);
        uint160 rest = uint160(terms.payer);
        if (expiry) {
            // Where two claims were right they differ elsewhere: nobody has said yet who of them earned it.
            if (count == 1) _payRight(purse, terms, record, docket, right);
        } else if (upheld) {
            rest = _accountOf(record.worker);
        } else {
            purse.giveOfPot(rest, _grossOf(terms, docket));
            purse.giveOfPot(uint160(record.opener), slashed / REWARD_PART);
        }
        purse.giveOfPot(rest, purse.pot);
    }

    /// @dev Which claims say what the jury found, and how many.
    function _rightOf(Terms calldata terms, Case calldata record, Docket calldata docket, bytes32 finding)
        private
        view
        returns (bool[] memory right, uint256 count)
    {
        bytes32 id = record.idOf();
        FactsWord facts = record.facts;
        right = new bool[](docket.claims.length);
        for (uint256 i; i < right.length; ++i) {
            bytes32 shown = claimShown[id][i];
            // The root of a tree of one trace is that trace.
            bool single = facts.kind() == CaseWords.ACCUSATION && terms.tasksOf(facts.batch()) == 1;
            if (single) shown = docket.claims[0].root;
            right[i] = shown != 0 && shown == finding;
            if (right[i]) ++count;
        }
    }

    /// @dev Takes what the makers of wrong claims had put at risk, and remembers whom it took it from.
    function _slashLiars(Case calldata record, Docket calldata docket, bool[] memory right)
        private
        returns (uint256 slashed)
    {
        uint256 marks;
        for (uint256 i; i < docket.members.length; ++i) {
            MemberWord member = docket.members[i];
            uint256 claim = member.claim();
            if (claim >= right.length || right[claim]) continue;
            marks |= 1 << i;
            slashed += _punish(record, member.worker(), member.exposure());
        }
        _expiries[record.dealId][record.facts.batch()] |= marks;
    }

    /// @dev Takes from an accused what a false own trace costs, of what is not at risk for something else.
    function _slashAccused(Terms calldata terms, Case calldata record, Docket calldata docket)
        private
        returns (uint256)
    {
        uint256 units = FALSE_TRACE * Payouts.slashUnits(_grossOf(terms, docket));
        if (units > type(uint40).max) units = type(uint40).max;
        MemberWord[] memory members = new MemberWord[](1);
        members[0] = MemberWords.pack(record.worker, Claims.BARE, 0, units, 0);
        uint256 most = workforce.settle(members)[0].slashable();
        if (units > most) units = most;
        // Fits: packed from such a field.
        emit Punished(record.dealId, uint32(record.facts.batch()), record.worker, units);
        return units * WorkerWords.BOND_UNIT;
    }

    /// @dev Pays the makers of the one right claim the fee that they would have had for an agreeing reveal, as many as the
    /// deal pays, in the log's order; or an equal part of what there is.
    function _payRight(
        Purse memory purse,
        Terms calldata terms,
        Case calldata record,
        Docket calldata docket,
        bool[] memory right
    ) private view {
        uint256 most = terms.policy.replicasMax();
        uint256[] memory payees = new uint256[](most);
        uint256 count;
        uint256 fuel;
        for (uint256 i; i < docket.members.length && count < most; ++i) {
            uint256 claim = docket.members[i].claim();
            if (claim >= right.length || !right[claim]) continue;
            fuel = docket.claims[claim].fuel;
            payees[count++] = i;
        }
        // Only the last task's leaf proves the claim's fuel.
        uint256 fuelMax = terms.fuelOf(terms.tasksOf(record.facts.batch()));
        if (fuel > fuelMax) fuel = fuelMax;
        Payouts.Shares memory shares =
            Payouts.sharesOf(fuel, terms.feePerMfuel, terms.opened.poolShareBps(), terms.opened.protocolFeeBps());
        uint256 each = purse.takeEach(shares.net, count);
        for (uint256 i; i < count; ++i) {
            purse.give(_accountOf(docket.members[payees[i]].worker()), each);
        }
    }

    /// @dev What the show calls have in common; answers the case's id.
    function _shows(Terms calldata terms, Case calldata record, Docket calldata docket, uint256 kind)
        private
        view
        returns (bytes32 id)
    {
        id = _openCase(record);
        _checkReveals(record.facts);
        _checkDeal(terms, record.dealId);
        _checkDocket(record, docket, id);
        if (record.facts.kind() != kind) revert WrongCase(id);
    }

    function _show(bytes32 id, uint256 claim, bytes32 finding) private {
        claimShown[id][claim] = finding;
        emit ClaimShown(id, claim, finding);
    }

    /// @dev Whether a leaf is under a claim's root and could be an honest batch's: in its place, within the limit, its
    /// cumulative fuel that of the task before and its own, the last task's the claim's. So of two claims at least one fails, here or
    /// before the jury, in the first task where they differ.
    function _couldBeHonest(Terms calldata terms, Claim calldata claim, FactsWord facts, Leaf[] calldata leaves)
        private
        pure
        returns (bool)
    {
        uint256 index = facts.index();
        uint256 tasks = terms.tasksOf(facts.batch());
        uint256 before;
        if (leaves.length != (index == 0 ? 1 : 2)) return false;
        if (index != 0) {
            if (!_stands(leaves[0], claim.root, index - 1, tasks)) return false;
            before = leaves[0].receipt.cumulativeFuel;
        }
        Leaf calldata leaf = leaves[leaves.length - 1];
        if (!_stands(leaf, claim.root, index, tasks) || leaf.receipt.fuel > terms.fuelLimit) return false;
        uint256 cumulative = leaf.receipt.cumulativeFuel;
        return cumulative == before + leaf.receipt.fuel && (index != tasks - 1 || cumulative == claim.fuel);
    }

    /// @dev Whether a leaf stands in its place under a root.
    function _stands(Leaf calldata leaf, bytes32 root, uint256 path, uint256 tasks) private pure returns (bool) {
        return leaf.path == path && leaf.receipt.index == path
            && ReceiptTree.verify(root, leaf.receipt.leafOf(), path, tasks, leaf.proof);
    }

    /// @dev What the payer paid for one execution of an accusation's batch.
    function _grossOf(Terms calldata terms, Docket calldata docket) private pure returns (uint256) {
        return uint256(docket.claims[0].fuel) * terms.feePerMfuel / 1e6;
    }

    /// @dev The account of a worker's operator.
    function _accountOf(address worker) private view returns (uint160) {
        return Accounts.ofOperator(_operatorOf(worker));
    }
}
