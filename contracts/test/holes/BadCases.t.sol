// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "../../src/interfaces/ICases.sol";
import {IInquest} from "../../src/interfaces/IInquest.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {Certificates} from "../../src/libraries/Certificates.sol";
import {Accusation, Case, CaseState, Hearing, Juror, Leaf, Receipt} from "../../src/types/Cases.sol";
import {CaseTermsWord} from "../../src/types/Terms.sol";
import {MemberWord} from "../../src/types/Workers.sol";
import {Inquests} from "../support/Inquests.sol";
import {Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";

/// @title What calls to Court, Jury and Inquest bring back, with something wrong in it
/// @notice The contracts keep hashes alone: whoever could slip in other terms, members or jurors would say who pays and who is paid.
abstract contract BadCases is Inquests {
    bytes32 internal immutable right = _findingOf(_honest()[0]);
    bytes32 internal immutable wrong = _findingOf(_lying(0)[0]);

    function setUp() public {
        _buildTrials();
    }

    /// @dev A certified batch, and one of another deal beside it.
    function _two() internal returns (Trial memory trial, Trial memory other) {
        other = _certified(_trialOffer(), _honest());
        trial = _certified(_trialOffer(), _honest());
    }

    /// @dev One member stands where another stood; done twice, all is as it was.
    function _forge(MemberWord[] memory members) internal pure {
        (members[0], members[1]) = (members[1], members[0]);
    }

    function _expectWrongCase(bytes32 id) internal {
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongCase.selector, id));
    }

    function _expectWrongTerms(bytes32 dealId) internal {
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongTerms.selector, dealId));
    }

    function _expectWrongCertificate(bytes32 dealId, uint256 batch) internal {
        vm.expectRevert(abi.encodeWithSelector(Certificates.WrongCertificate.selector, dealId, batch));
    }
}

/// @title Court and Jury
contract BadHearingsTest is BadCases {
    /// @dev An upheld case over task 0, and a batch of another deal.
    function _decidedBeside() private returns (Trial memory trial, Trial memory other) {
        (trial, other) = _two();
        vm.assertTrue(_try(trial, _same(right, 1), _honest(), wrong) == CaseState.Upheld);
    }

    function _finalizeAs(Trial memory terms, Trial memory done, Hearing[] memory hearings, bytes32 finding) private {
        court.finalize(terms.terms, done.done, hearings, finding);
    }

    function _hearings(Trial memory a) private pure returns (Hearing[] memory hearings) {
        hearings = new Hearing[](1);
        hearings[0] = _hearing(a);
    }

    function _hearings(Trial memory a, Trial memory b) private pure returns (Hearing[] memory hearings) {
        hearings = new Hearing[](2);
        (hearings[0], hearings[1]) = (_hearing(a), _hearing(b));
    }

    /// @dev What a dispute costs its opener, and who judges it, is read from the case terms.
    function test_badInput_disputeUnderOtherTerms() public {
        (Trial memory trial, Trial memory other) = _two();
        bytes32 roster = _roster(trial.done);
        CaseTermsWord cheaper = CaseTermsWord.wrap(CaseTermsWord.unwrap(trial.done.caseTerms) - 1);
        vm.startPrank(disputer);
        _expectWrongCertificate(trial.terms.dealId, 0);
        court.openDispute(trial.done.certificate, roster, cheaper, 0, 0);
        _expectWrongCertificate(trial.terms.dealId, 0);
        court.openDispute(trial.done.certificate, _roster(other.done), trial.done.caseTerms, 0, 0);
        // A certificate that covers them, but is not the one that the batch has.
        trial.done.certificate.members = keccak256(abi.encode(roster, cheaper));
        _expectWrongCertificate(trial.terms.dealId, 0);
        court.openDispute(trial.done.certificate, roster, cheaper, 0, 0);
        vm.stopPrank();
    }

    function test_badInput_workersDisputeUnderOtherTerms() public {
        (Trial memory trial, Trial memory other) = _two();
        _expectWrongTerms(other.terms.dealId);
        court.openDisputeAsWorker(other.terms, trial.done, 0, 0, _worker(0));
        trial.terms.feePerMfuel = 0;
        _expectWrongTerms(trial.terms.dealId);
        court.openDisputeAsWorker(trial.terms, trial.done, 0, 0, _worker(0));
    }

    /// @dev An audit is paid from what the protocol earned in the deal's pool, not in another one.
    function test_badInput_auditUnderOtherTerms() public {
        (Trial memory trial,) = _audited(_honest());
        trial.done.caseTerms = CaseTermsWord.wrap(CaseTermsWord.unwrap(trial.done.caseTerms) ^ 1 << 176);
        _expectWrongCertificate(trial.terms.dealId, 0);
        court.openAudit(trial.done);
    }

    /// @dev Whom the certificate does without is read from its members.
    function test_badInput_workersDisputeWithOtherMembers() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 who = 3;
        while (!_hasSeat(trial.terms, 0, who, 0)) ++who;
        _forge(trial.done.members);
        vm.prank(_worker(who));
        _expectWrongCertificate(trial.terms.dealId, 0);
        court.openDisputeAsWorker(trial.terms, trial.done, 0, 0, _worker(who));
    }

    /// @dev The trail names the block whose seed asks for an audit: another one would be another draw.
    function test_badInput_auditWithAnotherTrail() public {
        (Trial memory trial,) = _audited(_honest());
        trial.done.trail -= 1;
        _expectWrongCertificate(trial.terms.dealId, 0);
        court.openAudit(trial.done);
    }

    function test_badInput_appealWithOthersPapers() public {
        (Trial memory trial, Trial memory other) = _decidedBeside();
        bytes32 id = _idOf(trial.record);
        _fund(stranger, 100e18);
        vm.startPrank(stranger);
        _expectWrongCase(id);
        court.appeal(trial.terms, trial.done, trial.record, wrong, 0, address(0));
        _expectWrongCase(id);
        court.appeal(other.terms, other.done, trial.record, trial.finding, 0, address(0));
        _expectWrongTerms(other.terms.dealId);
        court.appeal(other.terms, trial.done, trial.record, trial.finding, 0, address(0));
        _forge(trial.done.members);
        _expectWrongCertificate(trial.terms.dealId, 0);
        court.appeal(trial.terms, trial.done, trial.record, trial.finding, 0, address(0));
        vm.stopPrank();
    }

    function test_badInput_jurorWithOthersPapers() public {
        (Trial memory trial, Trial memory other) = _two();
        _disputeWithJury(trial, 0, wrong, 1);
        Case[] memory records = _records(trial);
        address worker = _worker(trial.seated[0]);
        bytes32 id = _idOf(trial.record);
        vm.startPrank(worker);
        _expectWrongTerms(other.terms.dealId);
        jury.commit(other.terms, trial.done, records, worker, "blind");
        _expectWrongCase(id);
        jury.commit(other.terms, other.done, records, worker, "blind");
        _forge(trial.done.members);
        _expectWrongCertificate(trial.terms.dealId, 0);
        jury.commit(trial.terms, trial.done, records, worker, "blind");
        _forge(trial.done.members);
        // It appeals none.
        Case[] memory two = new Case[](2);
        (two[0], two[1]) = (trial.record, trial.record);
        _expectWrongCase(id);
        jury.commit(trial.terms, trial.done, two, worker, "blind");
        vm.stopPrank();
    }

    function test_badInput_receiptOfAnotherCertificate() public {
        (Trial memory trial, Trial memory other) = _two();
        _dispute(trial, 0, wrong);
        vm.warp(trial.record.facts.commitEnd());
        Receipt[] memory lies = _lying(0);
        Receipt memory said = _honest()[0];
        bytes32[] memory proof = Receipts.proofOf(_honest(), 0);
        _expectWrongTerms(other.terms.dealId);
        jury.showReceipt(other.terms, trial.done.certificate, trial.record, said, proof);
        _expectWrongCase(_idOf(trial.record));
        jury.showReceipt(other.terms, other.done.certificate, trial.record, said, proof);
        trial.done.certificate.root = Receipts.rootOf(lies);
        _expectWrongCertificate(trial.terms.dealId, 0);
        jury.showReceipt(trial.terms, trial.done.certificate, trial.record, lies[0], Receipts.proofOf(lies, 0));
    }

    /// @dev What a juror showed is its own, and shown once.
    function test_badInput_jurorThatRevealsTwiceOrForAnother() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _disputeWithJury(trial, 0, wrong, 2);
        _sit(trial, _same(right, 2));
        vm.warp(trial.record.facts.commitEnd());
        Juror memory mixed = Juror(trial.jurors[0].word, trial.jurors[1].finding);
        bytes32 trace = _jurorTrace(trial.seated[1], _idOf(trial.record));
        _expect(IJurors.WrongJuror.selector, _worker(trial.seated[0]));
        jury.reveal(trial.record, mixed, right, trace);
        trial.jurors[0] = _revealJuror(trial.record, trial.jurors[0], right);
        trace = _jurorTrace(trial.seated[0], _idOf(trial.record));
        _expect(IJurors.WrongJuror.selector, _worker(trial.seated[0]));
        jury.reveal(trial.record, trial.jurors[0], right, trace);
    }

    /// @dev The certificate's odds are what a jury has to outweigh.
    function test_badInput_verdictOnAnotherCertificate() public {
        (Trial memory trial, Trial memory other) = _two();
        _dispute(trial, 0, wrong);
        vm.warp(trial.record.facts.revealEnd());
        Hearing memory hearing = _hearing(trial);
        bytes32 id = _idOf(trial.record);
        _expectWrongCase(id);
        court.decide(other.done.certificate, hearing);
        trial.done.certificate.batch = 1;
        _expectWrongCase(id);
        court.decide(trial.done.certificate, hearing);
        trial.done.certificate.batch = 0;
        trial.done.certificate.odds = 1;
        _expectWrongCertificate(trial.terms.dealId, 0);
        court.decide(trial.done.certificate, hearing);
    }

    function test_badInput_verdictOfAnotherJury() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _disputeWithJury(trial, 0, wrong, 2);
        _sit(trial, _same(right, 2));
        vm.warp(trial.record.facts.revealEnd());
        Hearing memory hearing = _hearing(trial);
        (hearing.jurors[0], hearing.jurors[1]) = (hearing.jurors[1], hearing.jurors[0]);
        vm.expectRevert(abi.encodeWithSelector(IJurors.WrongJury.selector, 2, 2));
        court.decide(trial.done.certificate, hearing);
        (hearing.jurors[0], hearing.jurors[1]) = (hearing.jurors[1], hearing.jurors[0]);
        hearing.jurors[1].finding = wrong;
        _expect(IJurors.WrongJuror.selector, hearing.jurors[1].word.worker());
        court.decide(trial.done.certificate, hearing);
    }

    function test_badInput_settlementWithOthersPapers() public {
        (Trial memory trial, Trial memory other) = _decidedBeside();
        vm.warp(trial.record.facts.appealEnd());
        Hearing[] memory hearings = _hearings(trial);
        bytes32 id = _idOf(trial.record);
        _expectWrongCase(id);
        _finalizeAs(trial, trial, hearings, wrong);
        _expectWrongTerms(other.terms.dealId);
        _finalizeAs(other, trial, hearings, trial.finding);
        trial.terms.payer = stranger;
        _expectWrongTerms(trial.terms.dealId);
        _finalizeAs(trial, trial, hearings, trial.finding);
        trial.terms.payer = requester;
        _forge(trial.done.members);
        _expectWrongCertificate(trial.terms.dealId, 0);
        _finalizeAs(trial, trial, hearings, trial.finding);
        _forge(trial.done.members);
        _expectWrongCase(id);
        _finalizeAs(other, other, hearings, trial.finding);
        // It appeals none.
        Hearing[] memory two = _hearings(trial, trial);
        _expectWrongCase(id);
        _finalizeAs(trial, trial, two, trial.finding);
        hearings[0].jurors = new Juror[](0);
        vm.expectRevert(abi.encodeWithSelector(IJurors.WrongJury.selector, 0, 1));
        _finalizeAs(trial, trial, hearings, trial.finding);
        hearings[0].jurors = trial.jurors;
        _finalizeAs(trial, trial, hearings, trial.finding);
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.Closed));
        _finalizeAs(trial, trial, hearings, trial.finding);
    }

    /// @dev An appeal is settled with the case that it appeals, and with the whole jury of that.
    function test_badInput_settlementOfAnAppealWithoutItsFirstHearing() public {
        (Trial memory trial,) = _decidedBeside();
        Trial memory second;
        (second.terms, second.done) = (trial.terms, trial.done);
        _fund(stranger, 100e18);
        vm.recordLogs();
        vm.prank(stranger);
        court.appeal(trial.terms, trial.done, trial.record, trial.finding, 0, address(0));
        second.record = _opened();
        vm.warp(second.record.facts.revealEnd());
        // Nobody sat on the second jury, and its opener showed nothing.
        vm.assertTrue(_decide(second) == CaseState.Void);
        Hearing[] memory hearings = _hearings(second);
        _expectWrongCase(_idOf(second.record));
        _finalizeAs(second, second, hearings, second.finding);
        hearings = _hearings(second, second);
        _expectWrongCase(_idOf(second.record));
        _finalizeAs(second, second, hearings, second.finding);
        hearings = _hearings(second, trial);
        hearings[1].jurors = new Juror[](0);
        vm.expectRevert(abi.encodeWithSelector(IJurors.WrongJury.selector, 0, 1));
        _finalizeAs(second, second, hearings, second.finding);
        hearings[1].jurors = trial.jurors;
        _finalizeAs(second, second, hearings, second.finding);
        vm.assertEq(_status(trial.terms, 0), VOID);
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    /// @dev A batch that fell gives bonds back to who really opened its other cases.
    function test_badInput_dismissalOfAnotherRecord() public {
        Trial memory trial = _certified(_trialOffer(), _lying(0));
        _dispute(trial, 1, wrong);
        Case[] memory records = _records(trial);
        _dispute(trial, 0, right);
        vm.warp(trial.record.facts.revealEnd());
        vm.assertTrue(_decide(trial) == CaseState.Void);
        _finalize(trial);
        Case[] memory two = new Case[](2);
        (two[0], two[1]) = (records[0], records[0]);
        _expectWrongCase(_idOf(records[0]));
        court.dismiss(two, 0);
        records[0].opener = stranger;
        _expectWrongCase(_idOf(records[0]));
        court.dismiss(records, 0);
        records[0].opener = disputer;
        uint256 balance = _balance(disputer);
        court.dismiss(records, 0);
        vm.assertEq(_balance(disputer), balance + DISPUTE_BOND);
    }

    /// @dev Under terms with a lower limit an honest batch would contradict itself.
    function test_badInput_proofUnderOtherTerms() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        Leaf[] memory leaves = new Leaf[](1);
        leaves[0] = Leaf(0, _honest()[0], Receipts.proofOf(_honest(), 0));
        trial.terms.fuelLimit = 1;
        _expectWrongTerms(trial.terms.dealId);
        court.disprove(trial.terms, trial.done, leaves);
    }
}

/// @title Inquest
contract BadInquestsTest is BadCases {
    function _expectWrongDocket(Inquiry memory inquiry) private {
        vm.expectRevert(abi.encodeWithSelector(IInquest.WrongDocket.selector, _idOf(inquiry.record)));
    }

    function test_badInput_accusationWithOthersPapers() public {
        Inquiry memory inquiry = _certifiedForTraces();
        Accusation memory accusation = _accusationOf(inquiry, 0);
        vm.startPrank(disputer);
        inquiry.terms.fuelLimit = 1;
        _expectWrongTerms(inquiry.terms.dealId);
        inquest.accuse(inquiry.terms, inquiry.done, 0, accusation);
        inquiry.terms.fuelLimit = FUEL_LIMIT;
        _forge(inquiry.done.members);
        _expectWrongCertificate(inquiry.terms.dealId, 0);
        inquest.accuse(inquiry.terms, inquiry.done, 0, accusation);
        vm.stopPrank();
    }

    function test_badInput_inquestUnderOtherTermsOrDocket() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 1);
        address worker = _worker(inquiry.seated[0]);
        inquiry.terms.payer = stranger;
        vm.prank(worker);
        _expectWrongTerms(inquiry.terms.dealId);
        inquest.commit(inquiry.terms, inquiry.record, inquiry.docket, worker, "blind");
        vm.warp(inquiry.record.facts.commitEnd());
        Leaf[] memory leaves = _leavesOf(inquiry, _honest());
        _expectWrongTerms(inquiry.terms.dealId);
        inquest.showReceipt(inquiry.terms, inquiry.record, inquiry.docket, 0, leaves);
        inquiry.terms.payer = requester;
        _forge(inquiry.docket.members);
        _expectWrongDocket(inquiry);
        inquest.showReceipt(inquiry.terms, inquiry.record, inquiry.docket, 0, leaves);
        vm.warp(inquiry.record.facts.revealEnd());
        Hearing memory hearing;
        hearing.record = inquiry.record;
        _expectWrongDocket(inquiry);
        inquest.finalize(inquiry.terms, inquiry.docket, hearing);
        _forge(inquiry.docket.members);
        inquiry.terms.payer = stranger;
        _expectWrongTerms(inquiry.terms.dealId);
        inquest.finalize(inquiry.terms, inquiry.docket, hearing);
    }

    /// @dev Without its jurors a case would find nothing, and who was wrong would lose nothing.
    function test_badInput_inquestWithoutItsJury() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 1);
        _findAll(inquiry, _same(right, 1));
        vm.warp(inquiry.record.facts.revealEnd());
        Hearing memory hearing;
        hearing.record = inquiry.record;
        vm.expectRevert(abi.encodeWithSelector(IJurors.WrongJury.selector, 0, 1));
        inquest.finalize(inquiry.terms, inquiry.docket, hearing);
        hearing.record.opener = stranger;
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.None));
        inquest.finalize(inquiry.terms, inquiry.docket, hearing);
    }

    /// @dev What is shown too late shows nothing: the verdict may have been called for already.
    function test_badInput_showsAfterTheRevealWindow() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 0);
        Leaf[] memory leaves = _leavesOf(inquiry, _honest());
        uint256 end = inquiry.record.facts.revealEnd();
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooLate.selector, end));
        inquest.showReceipt(inquiry.terms, inquiry.record, inquiry.docket, 0, leaves);
        vm.warp(end - 1);
        inquest.showReceipt(inquiry.terms, inquiry.record, inquiry.docket, 0, leaves);
    }
}
