// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Confidence} from "../../src/libraries/Confidence.sol";
import {Lot} from "../../src/libraries/Lot.sol";
import {Payouts} from "../../src/libraries/Payouts.sol";
import {Test, bound, vm} from "../support/Vm.sol";

/// @title Odds, against a reference that reckons in fractions
contract ConfidenceFuzz is Test {
    /// @dev e = f * step / (step + r), at least f / 20; weight = (1 - e) / e, in micro units, rounded down.
    function _reference(uint256 f, uint256 wave, uint256 reputation, uint256 step) private pure returns (uint256) {
        for (uint256 i; i < wave; ++i) {
            f *= 2;
        }
        if (f > 5000) f = 5000;
        (uint256 above, uint256 below) = (f * step, 10_000 * (step + reputation));
        if (reputation > 19 * step) (above, below) = (f, 200_000);
        return (below - above) * 1e6 / above;
    }

    function testFuzz_weight_isTheReference(uint256 f, uint256 wave, uint256 reputation, uint256 step) public pure {
        f = bound(f, 500, 4900);
        wave = bound(wave, 0, 2);
        reputation = bound(reputation, 0, type(uint16).max);
        step = bound(step, 1, type(uint48).max);
        vm.assertEq(Confidence.weight(f, wave, reputation, step), _reference(f, wave, reputation, step));
    }

    function testFuzz_weight_isNeverBelowOneAndFallsWithTheWave(uint256 f, uint256 reputation, uint256 step)
        public
        pure
    {
        f = bound(f, 500, 4900);
        reputation = bound(reputation, 0, type(uint16).max);
        step = bound(step, 1, type(uint48).max);
        uint256 last = type(uint256).max;
        for (uint256 wave; wave < 3; ++wave) {
            uint256 weight = Confidence.weight(f, wave, reputation, step);
            vm.assertLe(weight, last);
            vm.assertGe(weight, Confidence.ONE);
            last = weight;
        }
    }

    function testFuzz_odds_neverExceedTheirFraction(uint256 group, uint256 opposing) public pure {
        group = bound(group, Confidence.ONE, type(uint128).max);
        opposing = bound(opposing, 0, type(uint128).max);
        uint256 odds = Confidence.odds(group, opposing);
        vm.assertLe(odds * (1e6 + opposing), group * 1e6);
        vm.assertGt((odds + 1) * (1e6 + opposing), group * 1e6);
    }

    function testFuzz_odds_fallWithEveryOpponentAndRiseWithEveryMember(uint256 seed, uint256 members) public pure {
        members = bound(members, 1, 60);
        uint256 group = Confidence.ONE;
        uint256 opposing;
        uint256 last = Confidence.odds(group, opposing);
        for (uint256 i; i < members; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 weight = Confidence.weight(500 + seed % 4401, (seed >> 16) % 3, (seed >> 32) % 65_536, 100);
            if (seed >> 64 & 1 == 0) {
                group = Confidence.times(group, weight);
                vm.assertGe(Confidence.odds(group, opposing), last);
            } else {
                opposing = Confidence.plus(opposing, weight);
                vm.assertLe(Confidence.odds(group, opposing), last);
            }
            last = Confidence.odds(group, opposing);
        }
    }

    function testFuzz_productsAndSumsSaturate(uint256 a, uint256 b) public pure {
        a = bound(a, 0, type(uint128).max);
        b = bound(b, 0, type(uint128).max);
        uint256 sum = a + b;
        vm.assertEq(Confidence.plus(a, b), sum < type(uint128).max ? sum : type(uint128).max);
        uint256 weight = b % (1 << 36);
        uint256 product = a * weight / 1e6;
        vm.assertEq(Confidence.times(a, weight), product < type(uint128).max ? product : type(uint128).max);
    }

    function testFuzz_seatsFor_isTheSmallestNumberThatReaches(uint256 confidence, uint256 f, uint256 low, uint256 high)
        public
        pure
    {
        confidence = bound(confidence, 1, type(uint32).max);
        f = bound(f, 500, 4900);
        high = bound(high, 1, 32);
        low = bound(low, 1, high);
        uint256 target = Confidence.target(confidence, 0);
        (uint256 seats, bool reached) = Confidence.seatsFor(target, Confidence.freshWeight(f), low, high);
        vm.assertLe(seats, high);
        vm.assertEq(_power(f, seats) >= target && seats >= low, reached);
        if (reached && seats > low) vm.assertLt(_power(f, seats - 1), target);
        if (!reached) vm.assertEq(seats, high);
    }

    function _power(uint256 f, uint256 seats) private pure returns (uint256 group) {
        group = Confidence.ONE;
        for (uint256 i; i < seats; ++i) {
            group = Confidence.times(group, (10_000 - f) * 1e6 / f);
        }
    }
}

/// @title The lot
contract LotFuzz is Test {
    function testFuzz_wins_isMonotonicInBondAndWave(
        bytes32 ticket,
        uint256 want,
        uint256 bond,
        uint256 more,
        uint256 rest
    ) public pure {
        want = bound(want, 1, 48);
        bond = bound(bond, 1, type(uint40).max - 1);
        more = bound(more, bond, type(uint40).max);
        rest = bound(rest, more, uint256(type(uint40).max) * 64);
        for (uint256 wave; wave < 3; ++wave) {
            bool wins = Lot.wins(uint256(ticket), want, bond, rest, wave);
            if (!wins) continue;
            vm.assertTrue(Lot.wins(uint256(ticket), want, more, rest, wave));
            vm.assertTrue(Lot.wins(uint256(ticket), want + 1, bond, rest, wave));
            vm.assertTrue(Lot.wins(uint256(ticket), want, bond, rest, wave + 1));
            vm.assertTrue(Lot.wins(uint256(ticket) / 2, want, bond, rest, wave));
        }
    }

    function testFuzz_wins_whereTheWantCoversThePool(bytes32 ticket, uint256 bond) public pure {
        bond = bound(bond, 1, type(uint40).max);
        vm.assertTrue(Lot.wins(uint256(ticket), 5, bond, 5 * bond, 0));
        vm.assertFalse(Lot.wins(uint256(ticket), 5, bond, 0, 2));
        vm.assertFalse(Lot.wins(uint256(ticket), 5, 0, bond, 2));
    }

    /// @dev Splitting a stake gains nothing: the threshold of a whole is at least the sum of its parts' thresholds, to the
    /// rounding of one in 2^192 a part.
    function testFuzz_splittingAStakeGainsNothing(uint256 want, uint256 bond, uint256 part, uint256 rest) public pure {
        want = bound(want, 1, 48);
        bond = bound(bond, 2, type(uint40).max);
        part = bound(part, 1, bond - 1);
        rest = bound(rest, bond * want + 1, type(uint40).max * uint256(64));
        uint256 whole = (want * bond << 192) / rest;
        uint256 split = (want * part << 192) / rest + (want * (bond - part) << 192) / rest;
        vm.assertLe(split, whole);
        // And these are the thresholds that the lot uses.
        vm.assertTrue(whole == 0 || Lot.wins((whole - 1) << 64, want, bond, rest, 0));
        vm.assertFalse(Lot.wins(whole << 64, want, bond, rest, 0));
    }

    function testFuzz_roundsAndTicketsBindAllTheirParts(
        bytes32 deal,
        uint256 batch,
        uint256 attempt,
        bytes32 seed,
        address a
    ) public pure {
        bytes32 id = Lot.roundId(deal, batch, attempt, seed);
        vm.assertEq(id, keccak256(abi.encode(deal, batch, attempt, seed)));
        vm.assertEq(Lot.ticket(seed, id, a), uint256(keccak256(abi.encode(seed, id, a))));
    }
}

/// @title Who gets what
contract PayoutsFuzz is Test {
    function testFuzz_theLockCoversEveryOutcome(
        uint256 replicas,
        uint256 paid,
        uint256 tasks,
        uint256 limit,
        uint256 fuel,
        uint256 fee
    ) public pure {
        replicas = bound(replicas, 1, 32);
        paid = bound(paid, 1, replicas);
        tasks = bound(tasks, 1, 65_536);
        limit = bound(limit, 1, type(uint64).max / tasks);
        fuel = bound(fuel, 0, limit * tasks);
        fee = bound(fee, 0, type(uint96).max);
        uint256 lock = Payouts.lockOf(replicas, limit, tasks, fee, 7);
        Payouts.Shares memory shares = Payouts.sharesOf(fuel, fee, 1000, 500);
        vm.assertGe(lock, paid * shares.gross + 7 * tasks);
        vm.assertEq(shares.net + shares.poolCut + shares.protocolCut, shares.gross);
    }

    function testFuzz_sharesNeverExceedTheirPart(uint256 fuel, uint256 fee, uint256 pool, uint256 protocol)
        public
        pure
    {
        fuel = bound(fuel, 0, type(uint64).max);
        fee = bound(fee, 0, type(uint96).max);
        pool = bound(pool, 0, 5000);
        protocol = bound(protocol, 0, 1000);
        Payouts.Shares memory shares = Payouts.sharesOf(fuel, fee, pool, protocol);
        vm.assertLe(shares.poolCut * 10_000, shares.gross * pool);
        vm.assertLe(shares.protocolCut * 10_000, shares.gross * protocol);
        vm.assertGe(shares.net * 10_000, shares.gross * (10_000 - pool - protocol));
    }

    function testFuzz_escrowIsPaidOutToTheLastUnit(uint256 slashed, uint256 extra, uint256 gross, uint256 winners)
        public
        pure
    {
        slashed = bound(slashed, 1, type(uint96).max);
        extra = bound(extra, 0, 32);
        gross = bound(gross, 0, type(uint96).max);
        winners = bound(winners, 1, 255);
        (uint256 burnt, uint256 toPayer, uint256 each) = Payouts.escrow(slashed, extra, gross, winners);
        vm.assertEq(burnt + toPayer + each * winners, slashed);
        vm.assertGe(5 * burnt, slashed);
        vm.assertLt(5 * burnt, slashed + 5);
        uint256 owed = extra * gross < slashed - burnt ? extra * gross : slashed - burnt;
        vm.assertGe(toPayer, owed);
        vm.assertLt(toPayer, owed + winners);
    }

    function testFuzz_slashesAndExposuresCoverWhatTheyStandFor(
        uint256 gross,
        uint256 prices,
        uint256 collateral,
        uint256 n
    ) public pure {
        gross = bound(gross, 0, 1e26);
        prices = bound(prices, 0, 1e26);
        collateral = bound(collateral, 0, 1e26);
        n = bound(n, 1, 63);
        uint256 slash = Payouts.slashUnits(gross);
        vm.assertGe(slash, 1);
        vm.assertGe(slash * 1e15, 2 * gross);
        uint256 exposure = Payouts.exposureUnits(gross, prices, collateral, n);
        vm.assertGe(exposure, 1);
        vm.assertGe(n * exposure * 1e15, collateral);
        vm.assertGe(n * exposure * 1e15, 2 * n * gross + prices);
        // No more than one unit is lost to rounding.
        uint256 least = 2 * gross + prices / n;
        uint256 share = collateral / n;
        vm.assertLe(exposure, (share > least ? share : least) / 1e15 + 2);
    }
}
