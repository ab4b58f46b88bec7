// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ParametersWords} from "../libraries/ParametersWords.sol";

using ParametersWords for ParametersWord global;

/// @notice What the protocol's owner can change, by version: a deal keeps the version that it opened with.
/// @param patienceBaseSecs Constant part of a wave's length, 1 to 3,600.
/// @param fuelPerSec Reference speed: fuel of a batch divided by it is the other part of a wave's length, 1e6 to 1e13.
/// @param reputationStep Reputation points that halve the odds of a fault, 1 to 10,000.
/// @param protocolFeeBps Share of the work fee that goes to the protocol, 0 to 1,000.
/// @param expireGraceSecs Seconds after the deadline before a batch may expire, 1 to 604,800.
/// @param posterGraceSecs Seconds after the last wave's window from which whoever posts earns the pool's share, 1 to 604,800.
/// @param disputeWindowMinSecs Shortest dispute window of a policy, 1 to 86,400.
struct Parameters {
    uint32 patienceBaseSecs;
    uint64 fuelPerSec;
    uint16 reputationStep;
    uint16 protocolFeeBps;
    uint32 expireGraceSecs;
    uint32 posterGraceSecs;
    uint32 disputeWindowMinSecs;
}

/// @notice {Parameters} in one word, from the low bit: version 16 | patienceBaseSecs 32 | fuelPerSec 64 |
/// reputationStep 16 | protocolFeeBps 16 | expireGraceSecs 32 | posterGraceSecs 32 | disputeWindowMinSecs 32.
type ParametersWord is uint256;
