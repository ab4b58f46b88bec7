// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "../../src/interfaces/ICases.sol";
import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {ICourt} from "../../src/interfaces/ICourt.sol";
import {IJury} from "../../src/interfaces/IJury.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Case, CaseState, Hearing, Juror, Leaf, Receipt} from "../../src/types/Cases.sol";
import {Receipts} from "../support/Receipts.sol";
import {Claim} from "../../src/types/Certificates.sol";
import {Trials} from "../support/Trials.sol";
import {vm} from "../support/Vm.sol";

contract CourtTest is Trials {
    bytes32 private immutable right = _findingOf(_honest()[0]);
    bytes32 private immutable wrong = _findingOf(_lying(0)[0]);

    function setUp() public {
        _buildCity(CITIZENS);
        _fund(disputer, 100e18);
    }

    /// @dev All tokens are still where they belong.
    function _assertConserved() private view {
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    function test_openDispute_itFreezesTheTaskAndTakesTheBond() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 1, wrong);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        vm.assertEq(_status(trial.terms, 0), DISPUTED);
        vm.assertTrue(court.frozen(trial.terms.dealId, 0, 1));
        vm.assertFalse(court.frozen(trial.terms.dealId, 0, 0));
        vm.assertEq(trial.record.facts.seats(), 9);
        vm.assertEq(trial.record.stakes.runtimeBond(), CITIZENS * BOND / UNIT);
    }

    function test_openDispute_givenTheWindowIsOver_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 finalAt = trial.done.certificate.finalAt;
        vm.warp(finalAt);
        vm.prank(disputer);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooLate.selector, finalAt));
        court.openDispute(trial.terms, trial.done.certificate, 0, 0);
    }

    function test_openDispute_givenNoSuchTask_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        vm.prank(disputer);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NoSuchTask.selector, 2, 2));
        court.openDispute(trial.terms, trial.done.certificate, 2, 0);
    }

    function test_openDispute_givenTheTaskIsDisputed_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        vm.prank(disputer);
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.Open));
        court.openDispute(trial.terms, trial.done.certificate, 0, 0);
    }

    function test_openDispute_givenNoMoney_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(IVault.BalanceTooLow.selector, uint160(stranger), 0, DISPUTE_BOND)
        );
        court.openDispute(trial.terms, trial.done.certificate, 0, 0);
    }

    function test_finalize_givenUpheld_theBondPaysJurorsAndContributors() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 before = _fees(0);
        uint256 payer = _balance(requester);
        vm.assertTrue(_try(trial, _same(right, 2), _honest(), wrong) == CaseState.Upheld);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        for (uint256 i; i < 2; ++i) {
            vm.assertEq(_fees(trial.seated[i]), JUROR_FEE);
        }
        uint256 each = (DISPUTE_BOND - 2 * JUROR_FEE) / 3;
        vm.assertEq(_fees(0) - before, each);
        // What does not divide is the payer's.
        vm.assertEq(_balance(requester) - payer, DISPUTE_BOND - 2 * JUROR_FEE - 3 * each);
        vm.assertEq(_status(trial.terms, 0), PROVISIONAL);
        vm.assertFalse(court.frozen(trial.terms.dealId, 0, 0));
        _assertConserved();
        vm.warp(trial.done.certificate.finalAt);
        _release(trial.terms, trial.done);
        vm.assertEq(_status(trial.terms, 0), FINAL);
    }

    function test_finalize_givenOverturned_contributorsPayEverybody() public {
        Offer memory offer = _trialOffer();
        offer.request.policy.collateralMin = 60e18;
        Trial memory trial = _certified(offer, _lying(0));
        uint256 payer = _balance(requester);
        vm.assertTrue(_try(trial, _same(right, 6), _lying(0), right) == CaseState.Overturned);
        _finalize(trial);
        // Twenty of each contributor: a fifth burnt.
        vm.assertEq(_burnt(), 12e18);
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(_word(i).bond(), BOND / UNIT - 20_000);
        }
        vm.assertEq(_balance(disputer), 100e18 + 6e18);
        for (uint256 i; i < 6; ++i) {
            vm.assertEq(_fees(trial.seated[i]), JUROR_FEE);
        }
        vm.assertEq(_balance(requester) - payer, 48e18 - 6e18 - 6 * JUROR_FEE);
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    function test_finalize_givenNobodyDefends_theCertificateFalls() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        vm.assertTrue(_try(trial, _same(right, 6), _noReceipts(), right) == CaseState.Overturned);
        _finalize(trial);
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    function test_finalize_givenVoid_nobodyIsSlashed() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        uint256 payer = _balance(requester);
        uint256 net = _fees(0);
        // Nobody sits.
        vm.assertTrue(_try(trial, new bytes32[](0), _honest(), wrong) == CaseState.Void);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18);
        vm.assertEq(_balance(requester) - payer, 3 * net);
        for (uint256 i; i < 3; ++i) {
            // The fee leaves the stake, in whole units; the difference is its operator's.
            uint256 units = (net + UNIT - 1) / UNIT;
            vm.assertEq(_word(i).bond(), BOND / UNIT - units);
            vm.assertEq(_fees(i), net + units * UNIT - net);
        }
        vm.assertEq(_status(trial.terms, 0), VOID);
        _assertConserved();
    }

    function test_finalize_givenVoidAndAnUnopenedSeal_theBondIsLost() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        bytes32[] memory findings = _same(right, 1);
        _disputeWithJury(trial, 0, wrong, 1);
        _sit(trial, findings);
        _hear(trial, findings, _noReceipts(), 0);
        vm.assertTrue(_decide(trial) == CaseState.Void);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        vm.assertEq(_fees(trial.seated[0]), JUROR_FEE);
        _assertConserved();
    }

    function test_finalize_givenAnotherFindingThanTheSeal_theBondComesBackAlone() public {
        Trial memory trial = _certified(_trialOffer(), _lying(0));
        bytes32 other = keccak256("neither");
        _disputeWithJury(trial, 0, other, 6);
        _sit(trial, _same(right, 6));
        _hear(trial, _same(right, 6), _lying(0), other);
        vm.assertTrue(_decide(trial) == CaseState.Overturned);
        _finalize(trial);
        vm.assertEq(_balance(disputer), 100e18);
        _assertConserved();
    }

    function test_finalize_givenWrongAndSilentJurors_theyAreSlashed() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        bytes32[] memory findings = _same(right, 4);
        findings[2] = wrong;
        findings[3] = 0;
        vm.assertTrue(_try(trial, findings, _honest(), wrong) == CaseState.Upheld);
        _finalize(trial);
        for (uint256 i = 2; i < 4; ++i) {
            vm.assertEq(_word(trial.seated[i]).bond(), BOND / UNIT - JUROR_SLASH);
            vm.assertEq(_fees(trial.seated[i]), 0);
        }
        vm.assertEq(_burnt(), (2 * JUROR_SLASH * UNIT + 4) / 5);
        _assertConserved();
    }

    function test_finalize_givenDissentersInEscrow_theyGetItBack() public {
        Trial memory trial = _splitCertified(_lying(0), _honest());
        uint256 escrowed = trial.done.members[_indexOf(trial.done, 4)].slash();
        vm.assertGt(escrowed, 0);
        vm.assertTrue(_try(trial, _same(right, 6), _lying(0), right) == CaseState.Overturned);
        _finalize(trial);
        vm.assertEq(_fees(4), escrowed * UNIT);
        _assertConserved();
    }

    /// @dev Workers 0 to 3 certify `a`, worker 4 says `b`.
    function _splitCertified(Receipt[] memory a, Receipt[] memory b) private returns (Trial memory trial) {
        (trial.terms,) = _openWithSeatsOf(_trialOffer(), 5);
        Claim[] memory claims = _claims();
        claims[0] = Claim(Receipts.rootOf(a), TASKS * FUEL);
        claims[1] = Claim(Receipts.rootOf(b), TASKS * FUEL);
        trial.done = _certify(_draftOf(trial.terms, 0, claims, _both(_all(0, 4, 0), _all(4, 1, 1))));
    }

    function test_finalize_givenItMayBeAppealed_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _try(trial, _same(right, 1), _honest(), wrong);
        Hearing[] memory hearings = new Hearing[](1);
        hearings[0] = _hearing(trial);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, trial.record.facts.appealEnd()));
        court.finalize(trial.terms, trial.done, hearings, trial.finding);
    }

    function test_decide_givenAJurorLeftOut_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        bytes32[] memory findings = _same(right, 3);
        _disputeWithJury(trial, 0, wrong, 3);
        _sit(trial, findings);
        _hear(trial, findings, _honest(), 0);
        Hearing memory hearing = _hearing(trial);
        Juror[] memory fewer = new Juror[](2);
        (fewer[0], fewer[1]) = (hearing.jurors[0], hearing.jurors[2]);
        hearing.jurors = fewer;
        vm.expectRevert(abi.encodeWithSelector(IJury.WrongJury.selector, 2, 3));
        court.decide(trial.done.certificate, hearing);
    }

    function test_decide_givenTheRevealWindowIsOpen_itReverts() public {
        Trial memory trial = _certified(_trialOffer(), _honest());
        _dispute(trial, 0, wrong);
        Hearing memory hearing = _hearing(trial);
        vm.warp(trial.record.facts.revealEnd() - 1);
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, trial.record.facts.revealEnd()));
        court.decide(trial.done.certificate, hearing);
    }
}
