// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBlockhashSeed} from "../../src/interfaces/IBlockhashSeed.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {Claim, LogItem} from "../../src/types/Certificates.sol";
import {Parameters} from "../../src/types/Parameters.sol";
import {OpenedWord, Terms} from "../../src/types/Terms.sol";
import {WorkerWord} from "../../src/types/Workers.sol";
import {TrickCallback} from "../support/Doubles.sol";
import {Plays} from "../support/Plays.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {vm} from "../support/Vm.sol";

/// @title What an observer of the city writes down, and the rules reckoned anew
/// @notice Thirteen workers of twelve operators: the last one belongs to the first operator. Most begin in the first pool on the first
/// runtime; four in the second pool on the second, and one more of that runtime in the first pool. Deals ask for either.
abstract contract Ghosts is Plays {
    uint256 internal constant WORKERS = 13;
    uint256 internal constant FIRST_OF_SECOND = 7;
    uint256 internal constant DEALS_MAX = 8;
    uint64 internal constant FUEL_EACH = 1_000_000;

    /// @notice A batch as it should be.
    /// @param locked What the payer has locked for it and nobody got yet.
    /// @param escrow Slashes of its certificate that nobody got yet.
    /// @param bond What an opener has put up for its dispute and nobody got yet.
    /// @param hearing The dispute and its jurors; what it came to, once decided.
    /// @param first Where it was appealed: the first case.
    /// @param right Whether the root that its receipts are under was certified.
    /// @param entries The list that was certified, and its claims.
    /// @param roundId The round in which it expired.
    /// @param held When its revealers' stake was held last.
    /// @param settled Whether an inquest has said who lied.
    /// @param busy Whether an inquest over it is open.
    /// @param stray Whether its batch was voided while its case was open.
    struct Slot {
        uint256 deal;
        uint256 batch;
        uint8 status;
        bool closed;
        bool right;
        uint64 finalAt;
        uint256 locked;
        uint256 escrow;
        uint256 bond;
        uint256 certificates;
        bytes certified;
        bytes log;
        bytes hearing;
        bytes first;
        bytes entries;
        bytes32 roundId;
        uint256 held;
        bool settled;
        bool busy;
        bool stray;
        uint8 verdict;
        bytes32 finding;
    }

    /// @notice One member of a round in the reference.
    struct Member {
        uint256 who;
        uint8 claim;
        uint8 wave;
        bool listed;
        bool counts;
    }

    /// @notice What a round must come to by the rules.
    struct Outcome {
        bool certifies;
        uint256 odds;
        uint256 seats;
        uint256 exposure;
    }

    /// @notice Stake that a certificate put at risk.
    struct Risk {
        uint64 until;
        uint64 units;
    }

    Terms[] internal _deals;
    Slot[] internal _slots;
    mapping(uint256 slot => mapping(uint256 who => uint8 claimPlusOne)) internal _hidden;
    mapping(uint256 who => Risk[]) internal _risks;
    mapping(bytes32 dealId => bytes32 termsHash) internal _termsHashes;
    /// @dev The runtime of the app that a deal is about, and the one that a worker had when it committed on chain.
    mapping(bytes32 dealId => uint256 runtime) internal _runtimes;
    mapping(uint256 slot => mapping(uint256 who => uint256 runtime)) internal _committedOn;
    uint256 internal _otherApp;
    /// @dev What a deal opened under, and what the next one opens under.
    mapping(bytes32 dealId => Parameters parameters) internal _rules;
    mapping(bytes32 dealId => uint256 word) internal _ruleWords;
    Parameters internal _current;
    mapping(uint256 blockNumber => bool pinned) internal _pinned;
    /// @dev Bonds of inquests that nobody got yet.
    uint256 internal _inquestBonds;
    TrickCallback internal _callback;

    /// @notice Breaches of a rule that an action saw.
    string[] public breaches;
    /// @notice Deliveries that were made, and that the callback saw.
    uint256 public deliveries;
    /// @notice Batches that paid out another sum than was locked for them.
    uint256 public paidOtherwise;
    /// @notice How often each outcome was reached, to see that the runs are worth something.
    mapping(bytes32 what => uint256 times) public seen;

    /// @dev Pins the seed of a block in which something opened.
    function _pin(uint256 block_) internal {
        _pinned[block_] = true;
        IBlockhashSeed(address(seeds)).pinSeed(block_);
    }

    function _breach(string memory what) internal {
        breaches.push(what);
    }

    function _require(bool holds, string memory what) internal {
        if (!holds) breaches.push(what);
    }

    /// @dev The right claim of a batch and a wrong one.
    function _claimsOf(Terms memory terms, uint256 batch) internal pure returns (Claim[] memory claims) {
        uint256 tasks = _tasksOf(terms, batch);
        claims = new Claim[](2);
        claims[0] = Claim(Receipts.rootOf(Receipts.make(tasks, FUEL_EACH)), uint64(FUEL_EACH * tasks));
        (Receipt[] memory receipts,, uint256 count) = _falseReceipts(terms, batch);
        claims[1] = Claim(count == 0 ? WRONG : Receipts.rootOf(receipts), uint64(FUEL_EACH * tasks));
    }

    /// @dev What is under a batch's wrong root: receipts of which `count` from `first` on prove it wrong, by the deal. Of one deal in six
    /// nobody knows what is under it.
    function _falseReceipts(Terms memory terms, uint256 batch)
        internal
        pure
        returns (Receipt[] memory receipts, uint256 first, uint256 count)
    {
        uint256 kind = uint256(terms.dealId) % 6;
        receipts = Receipts.make(_tasksOf(terms, batch), FUEL_EACH);
        uint256 last = receipts.length - 1;
        if (kind == 0) return (receipts, 0, 0);
        if (kind == 1 && last != 0) {
            receipts[1].fuel -= 1;
            return (receipts, 0, 2);
        }
        if (kind == 2) {
            receipts[0].cumulativeFuel -= 1;
        } else if (kind == 3) {
            (receipts[0].fuel, receipts[0].cumulativeFuel) = (terms.fuelLimit + 1, terms.fuelLimit + 1);
        } else {
            if (kind == 4) receipts[last].cumulativeFuel += 1;
            else receipts[last].index += 1;
            first = last;
        }
        count = 1;
    }

    function _tasksOf(Terms memory terms, uint256 batch) internal pure returns (uint256) {
        uint256 rest = terms.taskCount - batch * terms.batchSize;
        return rest < terms.batchSize ? rest : terms.batchSize;
    }

    function _batchesOf(Terms memory terms) internal pure returns (uint256) {
        return (uint256(terms.taskCount) + terms.batchSize - 1) / terms.batchSize;
    }

    /// @dev Length of a deal's waves, by the parameters that it opened under.
    function _patienceOf(Terms memory terms) internal view returns (uint256) {
        Parameters storage rules = _rules[terms.dealId];
        uint256 fuel = uint256(terms.fuelLimit) * _tasksOf(terms, 0);
        return rules.patienceBaseSecs + (fuel + rules.fuelPerSec - 1) / rules.fuelPerSec;
    }

    /// @dev The last wave that has begun.
    function _begun(Terms memory terms, uint256 batch) internal view returns (uint256 wave) {
        (, OpenedWord opened,,) = _drawOf(terms, batch);
        wave = (block.timestamp - opened.time()) / _patienceOf(terms);
        if (wave > 2) wave = 2;
    }

    /// @dev The first wave of those begun in which a worker has a seat; 3 when it has none.
    function _firstWave(Terms memory terms, uint256 batch, uint256 who, uint256 begun)
        internal
        view
        returns (uint256 wave)
    {
        while (wave <= begun && !_seat(terms, batch, who, wave)) ++wave;
        if (wave > begun) wave = 3;
    }

    function _operatorOf(uint256 who) internal pure returns (uint256) {
        return who == WORKERS - 1 ? 0 : who;
    }

    /// @dev The draw that a batch is in: attempt, opening word, round.
    function _drawOf(Terms memory terms, uint256 batch)
        internal
        view
        returns (uint256 attempt, OpenedWord opened, bytes32 seed, bytes32 roundId)
    {
        attempt = uint8(certifier.batchWord(terms.dealId, batch) >> 8);
        opened = attempt == 0 ? terms.opened : OpenedWord.wrap(certifier.reopenedAt(terms.dealId, batch));
        (seed,) = seeds.seedOf(opened.blockNumber(), opened.time());
        roundId = keccak256(abi.encode(terms.dealId, batch, attempt, seed));
    }

    /// @dev Whether a worker has a seat, by the rule.
    function _seat(Terms memory terms, uint256 batch, uint256 who, uint256 wave) internal view returns (bool) {
        return _runs(terms, who) && _drawn(terms, batch, who, wave);
    }

    /// @dev Whether a worker is on the deal's runtime.
    function _runs(Terms memory terms, uint256 who) internal view returns (bool) {
        return _word(who).runtime() == _runtimes[terms.dealId];
    }

    /// @dev Whether the lot gives a worker of the pool a seat, whatever it runs.
    function _drawn(Terms memory terms, uint256 batch, uint256 who, uint256 wave) internal view returns (bool) {
        (uint256 attempt, OpenedWord opened, bytes32 seed, bytes32 roundId) = _drawOf(terms, batch);
        return _drawnIn(terms, who, wave, attempt, opened, seed, roundId);
    }

    /// @dev The same of any draw.
    function _drawnIn(
        Terms memory terms,
        uint256 who,
        uint256 wave,
        uint256 attempt,
        OpenedWord opened,
        bytes32 seed,
        bytes32 roundId
    ) internal view returns (bool) {
        WorkerWord word = _word(who);
        if (word.pool() != terms.pool || word.activeFrom() >= opened.blockNumber() || opened.poolBond() == 0) {
            return false;
        }
        uint256 ticket = uint256(keccak256(abi.encode(seed, roundId, _worker(who)))) >> 64;
        return ticket < (_want(terms, attempt) * word.bond() << (192 + wave)) / opened.poolBond();
    }

    /// @dev Seats that the target needs, by the rule.
    function _needed(Terms memory terms, uint256 attempt) internal pure returns (uint256 seats) {
        uint256 target = terms.policy.confidence() * 4 ** attempt;
        uint256 group = 1;
        while (seats < terms.policy.replicasMax() && (seats < terms.policy.replicasMin() || group < target)) {
            group *= 4;
            ++seats;
        }
    }

    /// @dev Half a bond less what is at risk.
    function _room(uint256 who) internal view returns (uint256) {
        uint256 half = _word(who).bond() / 2;
        uint256 atRisk = _exposure(who);
        return half > atRisk ? half - atRisk : 0;
    }

    /// @dev Micro weight of a seat of a wave at a fifth of faulty stake.
    function _weight(uint256 wave) internal pure returns (uint256) {
        return wave == 0 ? 4e6 : wave == 1 ? 1.5e6 : 1e6;
    }

    /// @dev What the members of a round come to when `leading` is to prevail, by PROTOCOL sections 6 and 7.
    function _judged(Terms memory terms, uint256 batch, Member[] memory members, uint8 leading)
        internal
        view
        returns (Outcome memory outcome)
    {
        (uint256 attempt,,,) = _drawOf(terms, batch);
        (uint256 exposure, uint256 listedShort) = _exposureOf(terms, batch, members, leading, _needed(terms, attempt));
        outcome.exposure = exposure;
        uint256[3] memory groups = [uint256(1e6), 1e6, 0];
        bool[2] memory made;
        for (uint256 i; i < members.length; ++i) {
            Member memory member = members[i];
            member.counts = !_operatorBefore(members, i);
            if (member.claim == leading && !member.listed && _room(member.who) < exposure) member.counts = false;
            if (!member.counts) continue;
            uint256 weight = _weight(member.wave);
            if (member.claim < 2) {
                groups[member.claim] = groups[member.claim] * weight / 1e6;
                made[member.claim] = true;
                if (member.claim == leading) ++outcome.seats;
            } else {
                groups[2] += weight;
            }
        }
        uint256 rival = made[1 - leading] ? groups[1 - leading] : 0;
        outcome.odds = groups[leading] * 1e6 / (1e6 + rival + groups[2]);
        outcome.certifies = listedShort == 0 && outcome.seats >= terms.policy.replicasMin()
            && outcome.odds >= terms.policy.confidence() * 4 ** attempt * 1e6
            && outcome.seats * exposure * UNIT >= terms.policy.collateralMin();
    }

    /// @dev Units that each agreeing member puts at risk, and how many of the list have less room.
    function _exposureOf(Terms memory terms, uint256 batch, Member[] memory members, uint8 leading, uint256 needed)
        private
        view
        returns (uint256 units, uint256 listedShort)
    {
        uint256 all;
        uint256 inList;
        for (uint256 i; i < members.length; ++i) {
            if (members[i].claim != leading) continue;
            ++all;
            if (members[i].listed) ++inList;
        }
        if (all == 0) return (0, 1);
        uint256 parts = all < needed ? all : needed;
        if (inList > parts) parts = inList;
        units = _unitsOf(terms, _tasksOf(terms, batch), parts);
        for (uint256 i; i < members.length; ++i) {
            if (members[i].claim == leading && members[i].listed && _room(members[i].who) < units) ++listedShort;
        }
    }

    /// @dev Stake at risk of one of `parts` agreeing members: fee and a juror's fee, its part of the prices, or of the collateral.
    function _unitsOf(Terms memory terms, uint256 tasks, uint256 parts) private pure returns (uint256) {
        uint256 prices = (uint256(terms.appPrice) + terms.datasetPrice) * tasks;
        uint256 least = 2 * (FUEL_EACH * tasks * terms.feePerMfuel / 1e6) + (prices + parts - 1) / parts;
        uint256 share = (terms.policy.collateralMin() + parts - 1) / parts;
        return ((share > least ? share : least) + UNIT - 1) / UNIT;
    }

    /// @dev Whether a member before this one that counts has its operator.
    function _operatorBefore(Member[] memory members, uint256 index) private pure returns (bool) {
        for (uint256 i; i < index; ++i) {
            if (members[i].counts && _operatorOf(members[i].who) == _operatorOf(members[index].who)) return true;
        }
        return false;
    }

    /// @dev Everything that the ledger owes to accounts.
    function _owed() internal view returns (uint256 sum) {
        address[9] memory accounts =
            [requester, sponsor, appOwner, datasetOwner, poolOwner, poster, stranger, protocolOwner, address(this)];
        for (uint256 i; i < accounts.length; ++i) {
            sum += _balance(accounts[i]);
        }
        for (uint256 i; i < WORKERS - 1; ++i) {
            sum += _balance(_operator(i)) + vault.balanceOf(Accounts.ofOperator(i + 1));
        }
        for (uint256 i = 1; i < 3; ++i) {
            sum += vault.balanceOf(Accounts.ofPool(i)) + vault.protocolFeesOf(i);
        }
        sum += _burnt();
    }

    /// @dev Bonds and deposits.
    function _bonded() internal view returns (uint256 sum) {
        for (uint256 i; i < WORKERS; ++i) {
            sum += _word(i).bond() * UNIT;
        }
        for (uint32 i = 1; i < 3; ++i) {
            (, uint96 deposit,) = workforce.poolDetails(i);
            sum += deposit;
        }
    }

    /// @dev Locks of open batches, and slashes in escrow.
    function _held() internal view returns (uint256 locked, uint256 escrow) {
        for (uint256 i; i < _slots.length; ++i) {
            locked += _slots[i].locked;
            escrow += _slots[i].escrow + _slots[i].bond;
        }
        escrow += _inquestBonds;
    }

    /// @dev Stake that a verdict took, or that nobody can take any more.
    function _forget(uint256 who, uint256 until, uint256 units) internal {
        Risk[] storage risks = _risks[who];
        for (uint256 i; i < risks.length; ++i) {
            if (risks[i].until != until || risks[i].units != units) continue;
            risks[i].units = 0;
            return;
        }
    }

    /// @dev Stake of a worker behind certificates whose time at risk is not over.
    function _atRisk(uint256 who) internal view returns (uint256 units) {
        Risk[] storage risks = _risks[who];
        for (uint256 i; i < risks.length; ++i) {
            if (risks[i].until > block.timestamp) units += risks[i].units;
        }
    }
}
