// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {OpenedWord, PolicyWord, Terms} from "../types/Terms.sol";
import {WorkerWord} from "../types/Workers.sol";
import {Confidence} from "./Confidence.sol";
import {Lot} from "./Lot.sol";

/// @notice All that follows from terms and batch: one draw of the lot.
/// @param target Odds that the certificate must reach, in micro units.
/// @param needed Seats that reach it with fresh weights; `want` seats are drawn.
/// @param fresh Weight of a worker without reputation in wave 0.
/// @param agreeing Members of the list with the leading claim, once the list was read.
struct Round {
    bytes32 id;
    uint256 batch;
    uint256 word;
    uint256 attempt;
    uint256 tasks;
    OpenedWord opened;
    bytes32 seed;
    uint256 target;
    uint256 needed;
    uint256 want;
    uint256 fresh;
    uint256 agreeing;
}

/// @title Draws
/// @notice What a round aims at, who has a seat in it, and what binds its workers.
library Draws {
    /// @notice Sets the target odds of the attempt, and the seats that they take.
    function aim(Round memory round, Terms calldata terms) internal pure {
        round.target = Confidence.target(terms.policy.confidence(), round.attempt);
        PolicyWord policy = terms.policy;
        round.fresh = Confidence.freshWeight(policy.faultyShareBps());
        (round.needed,) = Confidence.seatsFor(round.target, round.fresh, policy.replicasMin(), policy.replicasMax());
        round.want = Lot.want(round.needed, policy.faultyShareBps());
    }

    /// @notice Whether a worker may contribute: the rule of `docs/encoding.md` section 3.
    function hasSeat(Round memory round, uint256 pool, address worker, WorkerWord word, uint256 wave)
        internal
        pure
        returns (bool)
    {
        OpenedWord opened = round.opened;
        if (!word.serves(pool, opened.runtime()) || word.activeFrom() >= opened.blockNumber()) return false;
        uint256 ticket = Lot.ticket(round.seed, round.id, worker);
        return Lot.wins(ticket, round.want, word.bond(), opened.poolBond(), wave);
    }

    /// @notice What binds a worker before it knows what others found.
    function commitmentOf(address worker, bytes32 roundId, bytes32 root, uint256 fuel, bytes32 ownTraceRoot)
        internal
        pure
        returns (bytes32 result)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, worker)
            mstore(add(free, 32), roundId)
            mstore(add(free, 64), root)
            mstore(add(free, 96), fuel)
            mstore(add(free, 128), ownTraceRoot)
            result := keccak256(free, 160)
        }
    }
}
