// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test, vm} from "../support/Vm.sol";
import {Disputes} from "./Disputes.sol";
import {Handler} from "./Handler.sol";
import {Inquests} from "./Inquests.sol";

/// @title What must always hold
/// @notice The rules of INVARIANTS.md, after every step of a run. One campaign checks them all: one for each would play the
/// same steps eight times over.
contract ProtocolInvariants is Test {
    /// @notice How often an outcome was reached: `forge test -vv` shows it.
    event log_named_uint(string outcome, uint256 times);

    Handler private _handler;

    function setUp() public {
        // The city and its observer together are larger than a block.
        vm.pauseGasMetering();
        _handler = new Handler();
        _handler.build();
        vm.resumeGasMetering();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev What does the work comes up more often than what ends it.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](36);
        selectors[0] = Handler.open.selector;
        selectors[1] = Handler.certify.selector;
        selectors[2] = Handler.certify.selector;
        selectors[3] = Handler.certify.selector;
        selectors[4] = Handler.withhold.selector;
        selectors[5] = Handler.commitOnChain.selector;
        selectors[6] = Handler.commitOnChain.selector;
        selectors[7] = Handler.revealOnChain.selector;
        selectors[8] = Handler.reopen.selector;
        selectors[9] = Handler.show.selector;
        selectors[10] = Handler.release.selector;
        selectors[11] = Handler.deliver.selector;
        selectors[12] = Handler.expire.selector;
        selectors[13] = Disputes.dispute.selector;
        selectors[20] = Disputes.sit.selector;
        selectors[21] = Disputes.hear.selector;
        selectors[22] = Disputes.audit.selector;
        selectors[23] = Disputes.appeal.selector;
        selectors[24] = Inquests.inquire.selector;
        selectors[25] = Inquests.accuse.selector;
        selectors[26] = Inquests.sitOnInquest.selector;
        selectors[27] = Inquests.hearInquest.selector;
        selectors[28] = Inquests.holdStake.selector;
        selectors[29] = Handler.contradict.selector;
        selectors[30] = Inquests.inquire.selector;
        selectors[31] = Disputes.hear.selector;
        selectors[32] = Handler.collude.selector;
        selectors[14] = Handler.moveStake.selector;
        selectors[15] = Handler.moveStake.selector;
        selectors[16] = Handler.expel.selector;
        selectors[17] = Handler.moveMoney.selector;
        selectors[18] = Handler.govern.selector;
        selectors[19] = Handler.wait_.selector;
        selectors[33] = Disputes.disputeAsWorker.selector;
        selectors[34] = Disputes.disprove.selector;
        selectors[35] = Disputes.dismiss.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_handler), selectors);
    }

    function invariant_theRulesHold() public view {
        rule_1_everyTokenIsAccountedFor();
        rule_2_aDealPaysOutWhatWasLocked();
        rule_3_noCertificateAgainstItsPolicy();
        rule_4_certifiedDeliveredAndPaidOnce();
        rule_5_stakeAtRiskStays();
        rule_6_onlyDrawnTransitions();
        rule_8_theOwnerMovesParametersOnly();
    }

    /// @dev Rule 7, at the end of every run.
    function afterInvariant() public {
        rule_7_everythingCanLeave();
    }

    function rule_1_everyTokenIsAccountedFor() public view {
        vm.assertTrue(_handler.tokensAccounted(), "rule 1: tokens");
    }

    /// @dev Compared at the end of every batch: fees, prices, shares and refund are the lock, to the last unit.
    function rule_2_aDealPaysOutWhatWasLocked() public view {
        vm.assertEq(_handler.paidOtherwise(), 0, "rule 2: locks");
    }

    function rule_3_noCertificateAgainstItsPolicy() public view {
        if (_handler.breachCount() != 0) vm.assertEq(_handler.breaches(0), "", "breach");
    }

    function rule_4_certifiedDeliveredAndPaidOnce() public view {
        vm.assertTrue(_handler.onceOnly(), "rule 4: once");
    }

    function rule_5_stakeAtRiskStays() public view {
        vm.assertTrue(_handler.stakeCovered(), "rule 5: stake");
        vm.assertTrue(_handler.poolBondsMatch(), "rule 5: pool bonds");
    }

    function rule_6_onlyDrawnTransitions() public view {
        vm.assertTrue(_handler.statusesMatch(), "rule 6: states");
    }

    function rule_7_everythingCanLeave() public {
        vm.assertTrue(_handler.drain(), "rule 7: something stays");
    }

    function rule_8_theOwnerMovesParametersOnly() public view {
        vm.assertTrue(_handler.dealsUnchanged(), "rule 8: deals");
    }

    /// @dev Runs that reach nothing prove nothing: one long run must have seen every outcome.
    function test_aLongRunReachesEveryOutcome() public {
        vm.pauseGasMetering();
        bytes4[] memory selectors = this.targetSelectors()[0].selectors;
        for (uint256 city; city < 120; ++city) {
            setUp();
            vm.pauseGasMetering();
            for (uint256 step; step < 100; ++step) {
                uint256 seed = uint256(keccak256(abi.encode(city, step)));
                (bool ok,) = address(_handler)
                    .call(
                        abi.encodeWithSelector(selectors[seed % selectors.length], uint256(keccak256(abi.encode(seed))))
                    );
                vm.assertTrue(ok, "an action reverted");
            }
            invariant_theRulesHold();
            _count();
            rule_7_everythingCanLeave();
        }
        for (uint256 i; i < OUTCOMES; ++i) {
            emit log_named_uint(string(abi.encodePacked(_outcome(i))), _times[i]);
        }
        for (uint256 i; i < OUTCOMES; ++i) {
            vm.assertGt(_times[i], 0, string(abi.encodePacked("never: ", _outcome(i))));
        }
    }

    uint256 private constant OUTCOMES = 49;
    uint256[OUTCOMES] private _times;

    function _count() private {
        for (uint256 i; i < OUTCOMES; ++i) {
            _times[i] += _handler.seen(_outcome(i));
        }
    }

    function _outcome(uint256 index) private pure returns (bytes32) {
        bytes32[OUTCOMES] memory outcomes = [
            bytes32("open"),
            "certify",
            "certify wrong",
            "refused",
            "void",
            "commit",
            "reveal",
            "reopen",
            "shown agreeing",
            "shown rival",
            "release",
            "deliver",
            "expire",
            "dispute",
            "juror",
            "upheld",
            "voided by the Court",
            "overturned",
            "audit",
            "appeal",
            "appeal by stake",
            "dispute by stake",
            "stake refused",
            "stake lost",
            "stake kept",
            "disproved",
            "disproved in a dispute",
            "nothing disproved",
            "dismissed",
            "not dismissed",
            "inquest",
            "accusation",
            "held",
            "no contradiction",
            "withdraw bond",
            "expel",
            "certify in a later wave",
            "left out",
            "no seat",
            "same operator",
            "early wave",
            "wrong runtime",
            "wrong runtime on chain",
            "change of runtime",
            "certify on runtime 2",
            "govern",
            "parameters refused",
            "tip",
            "no tip"
        ];
        return outcomes[index];
    }
}
