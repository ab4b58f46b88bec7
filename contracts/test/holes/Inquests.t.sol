// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICases} from "../../src/interfaces/ICases.sol";
import {IInquest} from "../../src/interfaces/IInquest.sol";
import {IJurors} from "../../src/interfaces/IJurors.sol";
import {IWorkforce} from "../../src/interfaces/IWorkforce.sol";
import {CaseState, Juror, Receipt} from "../../src/types/Cases.sol";
import {Inquests} from "../support/Inquests.sol";
import {vm} from "../support/Vm.sol";

/// @title Holes that inquests close
contract InquestHolesTest is Inquests {
    bytes32 private immutable right = _findingOf(_honest()[0]);

    function setUp() public {
        _buildTrials();
    }

    function _assertConserved() private view {
        vm.assertEq(token.balanceOf(address(vault)), _wealth());
    }

    /// @dev A jury sees no receipt and no trace of the accused before it has committed, and a copied commitment opens for nobody.
    function test_hole_04_aCopierOfARootIsFound() public {
        Inquiry memory inquiry = _certifiedForTraces();
        _accuseWithJury(inquiry, 1, 0, 5);
        Juror memory first = _commitInquest(inquiry, inquiry.seated[0], bytes32("executed"));
        address copier = _worker(inquiry.seated[1]);
        vm.recordLogs();
        vm.prank(copier);
        inquest.commit(inquiry.terms, inquiry.record, inquiry.docket, copier, first.finding);
        Juror memory copy = abi.decode(_dataOf(IJurors.JurorCommitted.selector), (Juror));
        vm.expectRevert(abi.encodeWithSelector(ICases.TooEarly.selector, inquiry.record.facts.commitEnd()));
        _showTrace(inquiry, 1);
        vm.warp(inquiry.record.facts.commitEnd());
        bytes32 trace = _jurorTrace(inquiry.seated[0], _idOf(inquiry.record));
        _expect(IJurors.WrongOpening.selector, copier);
        inquest.reveal(inquiry.record, copy, bytes32("executed"), trace);
    }

    /// @dev The certificate does not fall with one copier: what the others found stands, and can be disputed as ever.
    function test_hole_04_aFalseTraceCostsItsMakerAndNobodyElse() public {
        Inquiry memory inquiry = _certifiedForTraces();
        _accuseWithJury(inquiry, 1, 1, 4);
        _findAll(inquiry, _same(bytes32("executed"), 4));
        _conclude(inquiry);
        vm.assertLt(_word(1).bond(), BOND / UNIT);
        vm.assertEq(_word(0).bond(), BOND / UNIT);
        vm.assertEq(_word(2).bond(), BOND / UNIT);
        vm.warp(inquiry.done.certificate.finalAt);
        _release(inquiry.terms, inquiry.done);
        vm.assertEq(_status(inquiry.terms, 0), FINAL);
        _assertConserved();
    }

    /// @dev Stake behind a certificate answers for the certificate alone: what an accused pays comes out of the rest.
    function test_hole_16_aFalseTraceTakesNothingThatIsAtRisk() public {
        Inquiry memory inquiry = _certifiedForTraces();
        uint256 exposure = _exposure(1);
        vm.assertGt(exposure, 0);
        _accuseWithJury(inquiry, 1, 1, 4);
        _findAll(inquiry, _same(bytes32("executed"), 4));
        _conclude(inquiry);
        vm.assertEq(_exposure(1), exposure);
        vm.assertGe(_word(1).bond(), exposure);
    }

    function test_hole_14_aLiarDoesNotWalkAwayFromAnExpiredBatch() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        _openWithJury(inquiry, 0, 4);
        _findAll(inquiry, _same(right, 4));
        _showClaim(inquiry, _honest());
        _showClaim(inquiry, _lying(0));
        _conclude(inquiry);
        vm.assertEq(_word(who[2]).bond(), BOND / UNIT - RESERVED);
        vm.assertEq(_word(who[2]).reputation(), 0);
        _assertConserved();
    }

    /// @dev Stake that was held does not leave before the batch expires, nor while a case is open.
    function test_hole_14_aLiarThatLeavesIsHeld() public {
        vm.pauseGasMetering();
        (Inquiry memory inquiry, uint256[] memory who) = _standing(_found(2, _honest(), 1, _lying(0), 0, _honest()));
        address liar = _worker(who[2]);
        vm.startPrank(_operator(who[2]));
        workforce.leavePool(liar);
        vm.stopPrank();
        uint256 opened = inquiry.terms.opened.time();
        for (uint256 i = 1; i < 4; ++i) {
            vm.warp(opened + i * 4 days);
            inquest.hold(inquiry.terms, 0, inquiry.roundId, inquiry.log);
        }
        vm.prank(_operator(who[2]));
        vm.expectPartialRevert(IWorkforce.ExposureExceeded.selector);
        workforce.withdrawBond(liar, BOND);
        certifier.expire(inquiry.terms, 0, inquiry.roundId, inquiry.log);
        _openWithJury(inquiry, 0, 4);
        _findAll(inquiry, _same(right, 4));
        _showClaim(inquiry, _honest());
        _conclude(inquiry);
        vm.assertEq(_word(who[2]).bond(), BOND / UNIT - RESERVED);
        _assertConserved();
    }

    /// @dev An ally's case about a task in which nobody lied costs its bond, and buys no time: the stake is held anew.
    function test_hole_09_aWeakInquestSquatsNothing() public {
        (Inquiry memory inquiry, uint256[] memory who) = _oneLiar();
        _openWithJury(inquiry, 1, 4);
        vm.expectRevert(abi.encodeWithSelector(ICases.WrongState.selector, CaseState.Open));
        _openExpired(inquiry, 0);
        _findAll(inquiry, _same(_findingOf(_honest()[1]), 4));
        _showClaim(inquiry, _honest());
        _showClaim(inquiry, _lying(0));
        _conclude(inquiry);
        vm.assertEq(_balance(disputer), 100e18 - DISPUTE_BOND);
        _openWithJury(inquiry, 0, 4);
        _findAll(inquiry, _same(right, 4));
        _showClaim(inquiry, _honest());
        _conclude(inquiry);
        vm.assertEq(_word(who[2]).bond(), BOND / UNIT - RESERVED);
    }

    /// @dev Lying in one's own batch to be paid by one's own slash loses a fifth and the jury's fees.
    function test_hole_31_slashingOneselfAtExpiryCosts() public {
        (Inquiry memory inquiry, uint256[] memory who) = _expired(_found(1, _honest(), 3, _lying(0), 0, _honest()));
        uint256 before = _balance(requester) + _fees(who[0]);
        _openWithJury(inquiry, 0, 4);
        _findAll(inquiry, _same(right, 4));
        _showClaim(inquiry, _honest());
        _conclude(inquiry);
        uint256 lost = 3 * RESERVED * UNIT;
        vm.assertLe(_balance(requester) + _fees(who[0]) - before, lost * 4 / 5 - 4 * JUROR_FEE);
    }

    /// @dev A case that nobody answers ends by anybody's call, and the batch can be brought before a jury again.
    function test_hole_35_anInquestThatNobodyAnswersEnds() public {
        (Inquiry memory inquiry,) = _oneLiar();
        _openWithJury(inquiry, 0, 0);
        vm.warp(block.timestamp + 30 days);
        vm.prank(stranger);
        (bool found,) = _conclude(inquiry);
        vm.assertFalse(found);
        vm.assertEq(_balance(disputer), 100e18);
        _assertConserved();
    }

    /// @dev Who never revealed has lost its slash at expiry already and is no party to the contradiction.
    function test_hole_14_whoStayedSilentIsNotSlashedTwice() public {
        (Inquiry memory inquiry, uint256[] memory who) =
            _expired(_found(1, _honest(), 1, _lying(0), 1, new Receipt[](0)));
        uint256 bond = _word(who[2]).bond();
        vm.assertLt(bond, BOND / UNIT);
        _openWithJury(inquiry, 0, 4);
        _findAll(inquiry, _same(right, 4));
        _conclude(inquiry);
        vm.assertEq(_word(who[2]).bond(), bond);
    }
}
