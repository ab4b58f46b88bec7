// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Confidence} from "../../src/libraries/Confidence.sol";
import {MemberWord, MemberWords} from "../../src/libraries/MemberWords.sol";
import {OpenedWord, OpenedWords} from "../../src/libraries/OpenedWords.sol";
import {Payouts} from "../../src/libraries/Payouts.sol";
import {WorkerWord, WorkerWords} from "../../src/libraries/WorkerWords.sol";

/// @title What holds of every input, not of those that a fuzzer draws
/// @notice For halmos, by `contracts/tools/symbolic.sh`: a counterexample fails `assert`. Forge compiles this and runs none of it.
/// Inputs have the widths that the contracts give them. What divides by anything but a small constant is beyond the solver (z3 gives
/// up after minutes, at 48 bits as at 128), so weights, odds and the roundings of money are left to the fuzz tests.
contract ConfidenceSymbolic {
    function check_times_saturates(uint128 group, uint40 weight) public pure {
        uint256 product = Confidence.times(group, weight);
        uint256 exact = uint256(group) * weight / 1e6;
        assert(product == (exact < type(uint128).max ? exact : type(uint128).max));
    }

    function check_plus_saturates(uint128 a, uint128 b) public pure {
        uint256 sum = Confidence.plus(a, b);
        uint256 exact = uint256(a) + b;
        assert(sum == (exact < type(uint128).max ? exact : type(uint128).max));
    }

    function check_target_growsFourfold(uint32 confidence, uint8 attempt) public pure {
        if (attempt > 2) return;
        assert(Confidence.target(confidence, attempt + 1) == 4 * Confidence.target(confidence, attempt));
    }
}

/// @title Money: nothing appears, nothing is lost
contract PayoutsSymbolic {
    function check_shares_areTheWholeFee(uint64 fuel, uint96 fee, uint16 pool, uint16 protocol) public pure {
        if (pool > 5000 || protocol > 1000) return;
        Payouts.Shares memory shares = Payouts.sharesOf(fuel, fee, pool, protocol);
        assert(shares.net + shares.poolCut + shares.protocolCut == shares.gross);
        assert(shares.net <= shares.gross);
    }

    function check_escrow_isSplitToTheLastUnit(uint128 slashed, uint8 extra, uint96 gross) public pure {
        (uint256 burnt, uint256 toPayer, uint256 each) = Payouts.escrow(slashed, extra, gross, 3);
        assert(burnt + toPayer + 3 * each == slashed);
    }
}

/// @title Stake in a worker's word
contract WorkerSymbolic {
    using WorkerWords for WorkerWord;

    /// @dev Everything of a word but what a rule is about.
    function _same(WorkerWord a, WorkerWord b, uint256 mask) private pure returns (bool) {
        return (WorkerWord.unwrap(a) ^ WorkerWord.unwrap(b)) & ~mask == 0;
    }

    function check_withBond_changesTheBondAlone(uint256 raw, uint40 bond) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        WorkerWord changed = word.withBond(bond);
        assert(changed.bond() == bond);
        assert(_same(word, changed, uint256(type(uint40).max) << 104));
    }

    function check_withReputation_changesTheReputationAlone(uint256 raw, uint16 points) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        WorkerWord changed = word.withReputation(points);
        assert(changed.reputation() == points);
        assert(_same(word, changed, uint256(type(uint16).max) << 88));
    }

    function check_withPlace_reputationDoesNotTravel(uint256 raw, uint24 pool, uint8 runtime) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        WorkerWord moved = word.withPlace(pool, runtime);
        assert(moved.serves(pool, runtime) && moved.pool() == pool && moved.runtime() == runtime);
        assert(moved.reputation() == (word.pool() == pool ? word.reputation() : 0));
        assert(moved.bond() == word.bond() && moved.exposure() == word.exposure());
    }

    function check_withExposure_upToTheRoomStaysWithinHalfTheBond(uint256 raw, uint40 amount) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        uint256 before = word.exposure();
        if (amount > word.room()) return;
        WorkerWord exposed = word.withExposure(amount);
        assert(exposed.exposure() == before + amount);
        assert(exposed.exposure() <= exposed.bond() / 2 || amount == 0);
        assert(exposed.bond() == word.bond() && exposed.reputation() == word.reputation());
    }

    function check_withoutExposure_takesNoMoreThanThereIs(uint256 raw, uint40 amount) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        uint256 before = word.exposure();
        WorkerWord freed = word.withoutExposure(amount);
        assert(freed.exposure() == (before > amount ? before - amount : 0));
        assert(freed.bond() == word.bond() && freed.reputation() == word.reputation());
    }

    function check_roll_forgetsNothingOfTheBucketBefore(uint256 raw) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        uint256 last = uint16(raw >> 224);
        assert(WorkerWord.unwrap(word.roll(last)) == raw);
        WorkerWord next = word.roll(uint16(last + 1));
        assert(next.exposure() == uint40(raw >> 144));
        assert(next.bond() == word.bond() && next.reputation() == word.reputation());
        assert(word.roll(uint16(last + 2)).exposure() == 0);
    }

    function check_slashable_neverReachesWhatIsAtRisk(uint256 raw) public pure {
        WorkerWord word = WorkerWord.wrap(raw);
        uint256 taken = word.slashable();
        assert(taken <= word.bond());
        assert(taken == 0 || word.bond() - taken == word.exposure());
    }
}

/// @title The words of members and openings
contract WordsSymbolic {
    using MemberWords for MemberWord;
    using OpenedWords for OpenedWord;

    function check_member_fieldsAreApart(address worker, uint8 claim, uint8 wave, uint40 slash, uint40 exposure)
        public
        pure
    {
        MemberWord word = MemberWords.pack(worker, claim, wave, slash, exposure);
        assert(word.worker() == worker && word.claim() == claim && word.wave() == wave);
        assert(word.slash() == slash && word.exposure() == exposure);
        assert(word.withSlash(7).slash() == 7 && word.withSlash(7).claim() == claim);
        assert(word.withClaim(9).claim() == 9 && word.withClaim(9).worker() == worker);
    }

    function check_reopened_keepsTheRules(uint256 raw, uint40 number, uint40 time, uint64 bond) public pure {
        OpenedWord word = OpenedWord.wrap(raw);
        OpenedWord again = word.reopened(number, time, bond);
        assert(again.blockNumber() == number && again.time() == time && again.poolBond() == bond);
        assert(again.version() == word.version() && again.runtime() == word.runtime());
        assert(again.reputationStep() == word.reputationStep() && again.patience() == word.patience());
        assert(again.protocolFeeBps() == word.protocolFeeBps() && again.poolShareBps() == word.poolShareBps());
    }
}
