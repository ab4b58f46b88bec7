// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Accounts} from "../../src/libraries/Accounts.sol";
import {CaseWords} from "../../src/libraries/CaseWords.sol";
import {MemberWords} from "../../src/libraries/MemberWords.sol";
import {OpenedWords} from "../../src/libraries/OpenedWords.sol";
import {ParametersWords} from "../../src/libraries/ParametersWords.sol";
import {PolicyWords} from "../../src/libraries/PolicyWords.sol";
import {PoolWords} from "../../src/libraries/PoolWords.sol";
import {WorkerWords} from "../../src/libraries/WorkerWords.sol";
import {FactsWord, JurorWord, StakesWord} from "../../src/types/Cases.sol";
import {Policy} from "../../src/types/Orders.sol";
import {Parameters, ParametersWord} from "../../src/types/Parameters.sol";
import {OpenedWord, PolicyWord} from "../../src/types/Terms.sol";
import {MemberWord, PoolWord, WorkerWord} from "../../src/types/Workers.sol";
import {Test, bound, vm} from "../support/Vm.sol";

/// @title Packed words: what goes in comes out, and a change of one field leaves the others alone
contract WordsFuzz is Test {
    function testFuzz_worker(uint32 operator, uint24 pool, uint32 from, uint40 bond, uint8 runtime) public pure {
        WorkerWord word = WorkerWords.pack(operator, pool, from, bond, runtime);
        _checkWorker(word, operator, pool, from, bond, runtime);
        vm.assertEq(word.reputation(), 0);
        vm.assertEq(word.evidence(), 0);
    }

    function _checkWorker(WorkerWord word, uint256 operator, uint256 pool, uint256 from, uint256 bond, uint256 runtime)
        private
        pure
    {
        vm.assertEq(word.operator(), operator);
        vm.assertEq(word.pool(), pool);
        vm.assertEq(word.activeFrom(), from);
        vm.assertEq(word.bond(), bond);
        vm.assertEq(word.runtime(), runtime);
    }

    function testFuzz_worker_changesOneField(uint256 raw, uint40 bond, uint16 reputation, uint32 from) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        WorkerWord changed = word.withBond(bond);
        _checkWorker(changed, word.operator(), word.pool(), word.activeFrom(), bond, word.runtime());
        vm.assertEq(changed.reputation(), word.reputation());
        changed = word.withReputation(reputation);
        _checkWorker(changed, word.operator(), word.pool(), word.activeFrom(), word.bond(), word.runtime());
        vm.assertEq(changed.reputation(), reputation);
        changed = word.withActiveFrom(from);
        _checkWorker(changed, word.operator(), word.pool(), from, word.bond(), word.runtime());
        vm.assertEq(changed.evidence(), word.evidence());
    }

    function testFuzz_worker_movesWithoutItsReputation(uint256 raw, uint24 pool, uint8 runtime) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        WorkerWord moved = word.withPlace(pool, runtime);
        _checkWorker(moved, word.operator(), pool, word.activeFrom(), word.bond(), runtime);
        vm.assertEq(moved.reputation(), pool == word.pool() ? word.reputation() : 0);
    }

    /// @dev What is put at risk stays for a whole period and is gone after two.
    function testFuzz_exposureLastsOnePeriodAtLeastAndTwoAtMost(
        uint40 bond,
        uint256 amount,
        uint256 start,
        uint256 later
    ) public pure {
        amount = bound(amount, 0, bond / 2);
        start = bound(start, 1, 1e11);
        later = bound(later, 0, 11 days);
        WorkerWord word = WorkerWords.pack(1, 1, 1, bond, 1).roll(WorkerWords.bucketAt(start)).withExposure(amount);
        uint256 left = word.roll(WorkerWords.bucketAt(start + later)).exposure();
        if (later < 5 days) vm.assertEq(left, amount);
        if (later >= 10 days) vm.assertEq(left, 0);
        vm.assertTrue(left == amount || left == 0);
    }

    function testFuzz_roomAndSlashNeverTouchWhatIsAtRisk(uint40 bond, uint40 atRisk) public pure {
        WorkerWord word = WorkerWord.wrap(uint256(bond) << 104 | uint256(atRisk) << 144);
        vm.assertEq(word.room(), bond / 2 > atRisk ? bond / 2 - atRisk : 0);
        vm.assertEq(word.slashable(), bond > atRisk ? bond - atRisk : 0);
        vm.assertTrue(word.room() == 0 || 2 * (word.room() + atRisk) <= bond);
    }

    function testFuzz_pool(address owner, uint256 share, bool invitation, uint40 bond) public pure {
        share = bound(share, 0, 5000);
        PoolWord word = PoolWords.pack(owner, share, invitation).withBond(bond);
        vm.assertEq(word.owner(), owner);
        vm.assertEq(word.shareBps(), share);
        vm.assertEq(word.invitation(), invitation);
        vm.assertEq(word.bond(), bond);
        vm.assertFalse(word.closing());
    }

    function testFuzz_pool_changesOneField(uint256 raw, address owner, uint256 share, bool invitation) public pure {
        PoolWord word = PoolWord.wrap(raw);
        share = bound(share, 0, 5000);
        PoolWord changed = word.withOwner(owner);
        vm.assertEq(changed.owner(), owner);
        vm.assertEq(changed.bond(), word.bond());
        vm.assertEq(changed.nonce(), uint32(word.nonce() + 1 & type(uint32).max));
        vm.assertEq(changed.closing(), word.closing());
        changed = word.withRules(share, invitation);
        vm.assertEq(changed.owner(), word.owner());
        vm.assertEq(changed.bond(), word.bond());
        vm.assertEq(changed.nonce(), word.nonce());
        vm.assertEq(changed.shareBps(), share);
        vm.assertEq(changed.invitation(), invitation);
        vm.assertEq(changed.closing(), word.closing());
        vm.assertTrue(word.withClosing().closing());
    }

    function testFuzz_member(address worker, uint8 claim, uint8 wave, uint40 slash, uint40 exposure) public pure {
        MemberWord word = MemberWords.pack(worker, claim, wave, slash, exposure);
        vm.assertEq(word.worker(), worker);
        vm.assertEq(word.claim(), claim);
        vm.assertEq(word.wave(), wave);
        vm.assertEq(word.slash(), slash);
        vm.assertEq(word.exposure(), exposure);
    }

    function testFuzz_member_changesOneField(uint256 raw, uint8 claim, uint40 slash) public pure {
        MemberWord word = MemberWord.wrap(raw);
        MemberWord changed = word.withClaim(claim).withSlash(slash);
        vm.assertEq(changed.worker(), word.worker());
        vm.assertEq(changed.claim(), claim);
        vm.assertEq(changed.wave(), word.wave());
        vm.assertEq(changed.slash(), slash);
        vm.assertEq(changed.exposure(), word.exposure());
    }

    function testFuzz_opened(uint40 number, uint40 time, uint64 bond, uint16 version, uint8 runtime, uint16 share)
        public
        pure
    {
        OpenedWord word = OpenedWords.pack(number, time, bond, version, runtime, share);
        vm.assertEq(word.blockNumber(), number);
        vm.assertEq(word.time(), time);
        vm.assertEq(word.poolBond(), bond);
        vm.assertEq(word.version(), version);
        vm.assertEq(word.runtime(), runtime);
        vm.assertEq(word.poolShareBps(), share);
        OpenedWord again = word.reopened(7, 8, 9);
        vm.assertEq(again.blockNumber(), 7);
        vm.assertEq(again.time(), 8);
        vm.assertEq(again.poolBond(), 9);
        vm.assertEq(again.version(), version);
        vm.assertEq(again.runtime(), runtime);
        vm.assertEq(again.poolShareBps(), share);
    }

    function packPolicy(Policy calldata policy) external pure returns (PolicyWord) {
        return PolicyWords.pack(policy);
    }

    function testFuzz_policy(Policy calldata policy) public view {
        PolicyWord word = this.packPolicy(policy);
        vm.assertEq(word.confidence(), policy.confidence);
        vm.assertEq(word.faultyShareBps(), policy.faultyShareBps);
        vm.assertEq(word.replicasMin(), policy.replicasMin);
        vm.assertEq(word.replicasMax(), policy.replicasMax);
        vm.assertEq(word.collateralMin(), policy.collateralMin);
        vm.assertEq(word.countReputation(), policy.countReputation);
        vm.assertEq(word.evidence(), policy.evidence);
        vm.assertEq(word.disputeWindow(), policy.disputeWindow);
        vm.assertEq(word.finalOnly(), policy.finalOnly);
    }

    function testFuzz_parameters(Parameters memory p, uint256 version) public pure {
        p.patienceBaseSecs = uint32(bound(p.patienceBaseSecs, 1, 3600));
        p.fuelPerSec = uint64(bound(p.fuelPerSec, 1e6, 1e13));
        p.reputationStep = uint16(bound(p.reputationStep, 1, 10_000));
        p.protocolFeeBps = uint16(bound(p.protocolFeeBps, 0, 1000));
        p.expireGraceSecs = uint32(bound(p.expireGraceSecs, 1, 7 days));
        p.posterGraceSecs = uint32(bound(p.posterGraceSecs, 1, 7 days));
        p.disputeWindowMinSecs = uint32(bound(p.disputeWindowMinSecs, 1, 1 days));
        version = bound(version, 1, type(uint16).max);
        ParametersWord word = ParametersWords.pack(p, version);
        vm.assertEq(word.version(), version);
        vm.assertEq(word.patienceBaseSecs(), p.patienceBaseSecs);
        vm.assertEq(word.fuelPerSec(), p.fuelPerSec);
        vm.assertEq(word.reputationStep(), p.reputationStep);
        vm.assertEq(word.protocolFeeBps(), p.protocolFeeBps);
        vm.assertEq(word.expireGraceSecs(), p.expireGraceSecs);
        vm.assertEq(word.posterGraceSecs(), p.posterGraceSecs);
        vm.assertEq(word.disputeWindowMinSecs(), p.disputeWindowMinSecs);
    }

    function testFuzz_accountsDoNotMeet(uint32 operator, uint24 pool, uint96 amount) public pure {
        uint160 a = Accounts.ofOperator(operator);
        uint160 b = Accounts.ofPool(pool);
        vm.assertTrue(a != b && a != Accounts.BURNT && b != Accounts.BURNT && a != Accounts.PROTOCOL);
        // No address of a key has so many leading zero bits, and no precompile is so high.
        vm.assertEq(a, uint256(1) << 64 | operator);
        vm.assertEq(b, uint256(2) << 64 | pool);
        vm.assertEq(Accounts.BURNT, uint256(3) << 64);
        vm.assertEq(Accounts.PROTOCOL, uint256(4) << 64);
        vm.assertEq(Accounts.payment(a, amount) >> 96, a);
        vm.assertEq(uint96(Accounts.payment(a, amount)), amount);
    }

    function testFuzz_facts(uint32 batch, uint32 index, uint8 level, uint8 kind, uint8 seats, uint32 window) public {
        vm.warp(uint256(index) + 1);
        vm.roll(uint256(batch) + 1);
        FactsWord word = CaseWords.packFacts(batch, index, level, kind, seats, seats ^ 1, window);
        vm.assertEq(word.batch(), batch);
        vm.assertEq(word.index(), index);
        vm.assertEq(word.place(), CaseWords.placeOf(batch, index));
        vm.assertEq(word.level(), level);
        vm.assertEq(word.kind(), kind);
        vm.assertEq(word.seats(), seats);
        vm.assertEq(word.runtime(), seats ^ 1);
        vm.assertEq(word.window(), window);
        vm.assertEq(word.openedAt(), uint256(index) + 1);
        vm.assertEq(word.openedBlock(), uint256(batch) + 1);
        vm.assertEq(word.verdictBefore(), 0);
        FactsWord later = word.after_(kind);
        vm.assertEq(later.verdictBefore(), kind);
        vm.assertEq(FactsWord.unwrap(later) & (1 << 208) - 1, FactsWord.unwrap(word));
    }

    function testFuzz_stakes(uint128 bond, uint64 runtimeBond, uint40 slash, uint24 pool, uint128 other) public pure {
        StakesWord word = CaseWords.packStakes(bond, runtimeBond, slash, pool);
        vm.assertEq(word.bond(), bond);
        for (uint256 i; i < 2; ++i) {
            vm.assertEq(word.runtimeBond(), runtimeBond);
            vm.assertEq(word.slash(), slash);
            vm.assertEq(word.pool(), pool);
            word = word.withBond(other);
            vm.assertEq(word.bond(), other);
        }
    }

    function testFuzz_juror(address worker, uint32 operator, uint8 wave) public pure {
        JurorWord word = CaseWords.packJuror(worker, operator, wave);
        vm.assertFalse(word.revealed());
        for (uint256 i; i < 2; ++i) {
            vm.assertEq(word.worker(), worker);
            vm.assertEq(word.operator(), operator);
            vm.assertEq(word.wave(), wave);
            word = word.asRevealed();
            vm.assertTrue(word.revealed());
        }
    }

    /// @dev Exposure is taken off the older bucket first, and nothing else of the word moves.
    function testFuzz_worker_exposureComesOff(uint40 older, uint40 newer, uint256 amount, uint256 rest) public pure {
        uint256 mask = (uint256(1) << 80) - 1;
        uint256 raw = (rest & ~(mask << 144)) | uint256(newer) << 144 | uint256(older) << 184;
        amount = bound(amount, 0, uint256(older) + newer);
        uint256 after_ = WorkerWord.unwrap(WorkerWord.wrap(raw).withoutExposure(amount));
        vm.assertEq(after_ & ~(mask << 144), raw & ~(mask << 144));
        vm.assertEq(WorkerWord.wrap(after_).exposure(), uint256(older) + newer - amount);
        vm.assertEq(uint40(after_ >> 184), amount < older ? older - amount : 0);
    }
}
