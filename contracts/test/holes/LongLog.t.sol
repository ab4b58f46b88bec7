// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {LogItem} from "../../src/types/Certificates.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Plays} from "../support/Plays.sol";
import {vm} from "../support/Vm.sol";

/// @title The longest log that can stand on chain
contract LongLogTest is Plays {
    uint256 private constant WORKERS = 180;
    /// @dev EIP-7825.
    uint256 private constant TRANSACTION_GAS = 16_777_216;

    function setUp() public {
        vm.pauseGasMetering();
        _buildCity(WORKERS);
        vm.resumeGasMetering();
    }

    /// @dev Everybody with a seat commits in its window and reveals: a batch must still end in one transaction.
    function test_hole_08_theLongestLogStillExpires() public {
        vm.pauseGasMetering();
        Offer memory offer = _offer();
        offer.request.policy.replicasMin = 32;
        offer.request.policy.replicasMax = 32;
        Terms memory terms = _open(offer);
        bytes32 roundId = _roundId(terms, 0);
        (LogItem[] memory log, uint256[] memory who) = _fill(terms, roundId);
        for (uint256 i; i < who.length; ++i) {
            log = _with(log, LogItem(_word160(who[i]) | uint256(FUEL) << 16 | 2, RIGHT, _ownTrace(who[i], roundId)));
            LogItem[] memory before = _cut(log);
            certifier.reveal(terms.dealId, 0, roundId, before, i, RIGHT, FUEL, _ownTrace(who[i], roundId));
        }
        vm.assertGt(who.length, 120);
        vm.warp(terms.deadline + 601);
        bytes memory call_ = abi.encodeCall(ICertifier.expire, (terms, 0, roundId, log));
        vm.resumeGasMetering();
        uint256 used = gasleft();
        (bool ok,) = address(certifier).call(call_);
        used -= gasleft();
        vm.assertTrue(ok, "expired");
        vm.assertLt(used + 21_000 + 16 * call_.length, TRANSACTION_GAS);
    }

    /// @dev Commitments of all who have a seat, 64 a window.
    function _fill(Terms memory terms, bytes32 roundId) private returns (LogItem[] memory log, uint256[] memory who) {
        who = new uint256[](WORKERS);
        uint256 count;
        bool[] memory in_ = new bool[](WORKERS);
        for (uint256 wave; wave < 3; ++wave) {
            vm.warp(terms.opened.time() + wave * _patience(terms));
            uint256 inWindow;
            for (uint256 i; i < WORKERS && inWindow < 64; ++i) {
                if (in_[i] || !_hasSeat(terms, 0, i, wave)) continue;
                bytes32 commitment = _commitment(i, roundId, _claims()[0]);
                vm.prank(_worker(i));
                certifier.commit(terms, 0, log, _worker(i), commitment, "");
                log = _with(log, LogItem(_word160(i) | (i + 1) << 16 | wave << 8 | 1, commitment, 0));
                (in_[i], who[count++]) = (true, i);
                ++inWindow;
            }
        }
        assembly ("memory-safe") {
            mstore(who, count)
        }
    }

    function _word160(uint256 who) private view returns (uint256) {
        return uint256(uint160(_worker(who))) << 96;
    }

    /// @dev The log without its last item.
    function _cut(LogItem[] memory log) private pure returns (LogItem[] memory fewer) {
        fewer = new LogItem[](log.length - 1);
        for (uint256 i; i < fewer.length; ++i) {
            fewer[i] = log[i];
        }
    }
}
