// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Policy} from "../types/Orders.sol";
import {PolicyWord} from "../types/Terms.sol";

/// @title A policy in one word
/// @notice Packs and reads what a requester asks of a certificate. Layout: {PolicyWord}.
library PolicyWords {
    /// @notice Packs a policy; the caller has checked its bounds.
    function pack(Policy calldata p) internal pure returns (PolicyWord) {
        return PolicyWord.wrap(
            uint256(p.confidence) | uint256(p.faultyShareBps) << 32 | uint256(p.replicasMin) << 48
                | uint256(p.replicasMax) << 56 | uint256(p.collateralMin) << 64
                | (p.countReputation ? uint256(1) << 160 : 0) | uint256(p.evidence) << 168 | uint256(p.disputeWindow)
                << 176 | (p.finalOnly ? uint256(1) << 208 : 0)
        );
    }

    /// @notice Odds to one that the result must reach.
    function confidence(PolicyWord word) internal pure returns (uint256) {
        return uint32(PolicyWord.unwrap(word));
    }

    /// @notice Assumed share of faulty stake, in basis points.
    function faultyShareBps(PolicyWord word) internal pure returns (uint256) {
        return uint16(PolicyWord.unwrap(word) >> 32);
    }

    /// @notice Distinct operators that must agree.
    function replicasMin(PolicyWord word) internal pure returns (uint256) {
        return uint8(PolicyWord.unwrap(word) >> 48);
    }

    /// @notice Executions paid at most.
    function replicasMax(PolicyWord word) internal pure returns (uint256) {
        return uint8(PolicyWord.unwrap(word) >> 56);
    }

    /// @notice Free stake that must stand behind the certificate, in the token's smallest unit.
    function collateralMin(PolicyWord word) internal pure returns (uint256) {
        return uint96(PolicyWord.unwrap(word) >> 64);
    }

    /// @notice Whether reputation lowers a worker's assumed odds of being faulty.
    function countReputation(PolicyWord word) internal pure returns (bool) {
        return uint8(PolicyWord.unwrap(word) >> 160) != 0;
    }

    /// @notice Evidence kinds that every contributor must have (bitmap).
    function evidence(PolicyWord word) internal pure returns (uint256) {
        return uint8(PolicyWord.unwrap(word) >> 168);
    }

    /// @notice Seconds between provisional and final.
    function disputeWindow(PolicyWord word) internal pure returns (uint256) {
        return uint32(PolicyWord.unwrap(word) >> 176);
    }

    /// @notice Whether delivery waits for a final certificate.
    function finalOnly(PolicyWord word) internal pure returns (bool) {
        return uint8(PolicyWord.unwrap(word) >> 208) != 0;
    }
}
