// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MemberWords} from "../libraries/MemberWords.sol";
import {PoolWords} from "../libraries/PoolWords.sol";
import {WorkerWords} from "../libraries/WorkerWords.sol";

using WorkerWords for WorkerWord global;
using PoolWords for PoolWord global;
using MemberWords for MemberWord global;

/// @notice A worker whole, from the low bit: operator 32 | pool 24 | activeFrom 32 | reputation 16 | bond 40 |
/// exposureNow 40 | exposurePrevious 40 | bucket 16 | evidence 8 | runtime 8. Bond and exposure in bond units.
/// @dev One slot, because a certificate reads and writes it once for every worker. `activeFrom` is the block of the last
/// change of bond, pool or runtime, or one of the marks of {WorkerWords}.
type WorkerWord is uint256;

/// @notice A pool, from the low bit: owner 160 | bond 40 (bond units) | nonce 32 | shareBps 16 |
/// invitation 1 | closing 1.
type PoolWord is uint256;

/// @notice One member of a round, from the low bit: exposure 40 | slash 40 | wave 8 | claim 8 | worker 160.
/// @dev Certifier hands these to {IWorkforce-settle}, the `Certified` event shows them and {Certificate-members} hashes
/// them. `exposure` and `slash` in bond units. `claim` as in {Entry}; see {Claims} for the special ones.
type MemberWord is uint256;
