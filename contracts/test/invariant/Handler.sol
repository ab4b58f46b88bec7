// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IRecourse} from "../../src/interfaces/IRecourse.sol";
import {WorkerWords} from "../../src/libraries/WorkerWords.sol";
import {Certificate, CertifiedBatch, Claim, Entry, LogItem} from "../../src/types/Certificates.sol";
import {Parameters, ParametersWord} from "../../src/types/Parameters.sol";
import {OpenedWord, Terms} from "../../src/types/Terms.sol";
import {MemberWord, WorkerWord} from "../../src/types/Workers.sol";
import {TrickCallback} from "../support/Doubles.sol";
import {Receipt, Receipts} from "../support/Receipts.sol";
import {bound, vm} from "../support/Vm.sol";
import {Inquests} from "./Inquests.sol";

/// @title The actors of a run
/// @notice Every action either does something that the rules allow, or tries something that they forbid and notes a breach
/// when it works. None reverts.
contract Handler is Inquests {
    uint256 private constant LEFT_OUT = 252;
    uint256 private constant LEFT_OUT_BARE = 249;

    /// @notice Builds the city.
    function build() external {
        _buildCity(FIRST_OF_SECOND);
        vm.prank(protocolOwner);
        registry.registerRuntime("runtime 2");
        vm.prank(appOwner);
        _otherApp = registry.registerApp("other app", "runtime 2", "other app");
        vm.prank(poolOwner);
        workforce.createPool(address(0xc0), 0, false, MINIMUM_DEPOSIT, "other");
        for (uint256 who = FIRST_OF_SECOND; who < WORKERS - 1; ++who) {
            _joinPool(who, who, who == WORKERS - 2 ? pool : pool + 1, 2, BOND);
        }
        _join(0, WORKERS - 1, BOND);
        _callback = new TrickCallback();
        _current = _parameters();
        _mine(1, 12);
    }

    // ---------------------------------------------------------------- requester, matcher

    function open(uint256 seed) public {
        bool second = (seed >> 80) % 4 == 0;
        uint32 pool_ = second ? pool + 1 : pool;
        if (_deals.length == DEALS_MAX || workforce.poolOf(pool_).bond() == 0) return;
        Offer memory offer = _offerOf(uint32(1 + seed % 3), uint32(1 + (seed >> 8) % 2));
        offer.request.fuelLimit = 2 * FUEL_EACH;
        offer.request.policy.finalOnly = (seed >> 16) % 2 == 0;
        offer.request.callback = address(_callback);
        offer.request.callbackGas = 200_000;
        if ((seed >> 24) % 3 == 0) offer.request.payer = sponsor;
        // One tip in two of those that are offered is beyond what the requester has.
        if ((seed >> 64) % 2 == 0) offer.request.deliveryTip = uint96((seed >> 65) % 2 == 0 ? 1e18 : type(uint96).max);
        if ((seed >> 32) % 3 == 0) offer = _withDataset(offer);
        if ((seed >> 40) % 3 == 0) offer.request.policy.collateralMin = uint96((seed >> 48) % 60e18);
        if ((seed >> 56) % 3 == 0) offer.pool.minimumFee = 1e15;
        // What two certify four can overturn.
        if ((seed >> 72) % 2 == 0) (offer.request.policy.confidence, offer.request.policy.replicasMin) = (10, 2);
        if (_current.disputeWindowMinSecs > 1 hours) {
            offer.request.policy.disputeWindow = _current.disputeWindowMinSecs;
        }
        if (second) (offer.app.app, offer.request.app) = (_otherApp, _otherApp);
        (offer.pool.pool, offer.request.pool) = (pool_, pool_);
        Terms memory terms = _openHere(_sign(offer));
        _runtimes[terms.dealId] = second ? 2 : 1;
        _rules[terms.dealId] = _current;
        _ruleWords[terms.dealId] = ParametersWord.unwrap(market.currentParameters());
        _termsHashes[terms.dealId] = keccak256(abi.encode(terms));
        _deals.push(terms);
        for (uint256 i; i < _batchesOf(terms); ++i) {
            Slot storage slot = _slots.push();
            slot.deal = _deals.length - 1;
            slot.batch = i;
            slot.locked = _lockOf(terms, _tasksOf(terms, i));
            slot.log = abi.encode(new LogItem[](0));
        }
        _mine(1, 12);
        _pin(terms.opened.blockNumber());
        ++seen["open"];
    }

    // ---------------------------------------------------------------- workers, coordinator

    /// @notice Posts a round of honest, lying, silent and withholding workers, or shows that it may not be posted.
    function certify(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, OPEN);
        if (!found) return open(seed);
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        if (block.timestamp > terms.deadline) return;
        LogItem[] memory log = abi.decode(slot.log, (LogItem[]));
        Scene memory scene = Scene(index, terms, _members(index, terms, log, seed >> 16), 0, log);
        scene.leading = _more(scene.members);
        Outcome memory outcome = _judged(terms, slot.batch, scene.members, scene.leading);
        Draft memory draft = _draftFor(scene, _plays(scene));
        if (seed >> 240 & 1 == 0) _cheat(scene, draft, outcome.certifies, seed >> 241);
        if (outcome.certifies) {
            _postScene(scene, draft, outcome);
            // Who did not reveal may at once.
            if (seed >> 239 & 1 == 0) _showFirst(slot, index);
            return;
        }
        _mustFail(_certifyCall(draft), "certified against the policy");
        ++seen["refused"];
    }

    /// @dev Posts a round that the reference certifies, and that cannot be posted twice.
    function _postScene(Scene memory scene, Draft memory draft, Outcome memory outcome) private {
        uint256 owed = _owed();
        CertifiedBatch memory done = _certify(draft);
        if (_owed() - owed != _slots[scene.index].locked) ++paidOtherwise;
        _note(scene.index, done, outcome, scene.members, scene.leading);
        _slots[scene.index].entries = abi.encode(draft.claims, draft.entries);
        _mustFail(_certifyCall(draft), "certified twice");
    }

    /// @notice Two certify a wrong root where so few suffice; the requester or who was left out disputes it at once, or nobody.
    function collude(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, OPEN);
        if (!found || _balance(requester) < 1e18) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        bool few = terms.policy.confidence() <= 10 && abi.decode(slot.log, (LogItem[])).length == 0;
        if (!few || block.timestamp > terms.deadline) return;
        Scene memory scene = Scene(index, terms, _colluders(terms, slot.batch), 1, new LogItem[](0));
        Outcome memory outcome = _judged(terms, slot.batch, scene.members, 1);
        if (!outcome.certifies) return;
        _postScene(scene, _draftFor(scene, _plays(scene)), outcome);
        if (seed >> 8 & 1 == 0) _tryCase(slot, (seed >> 16) % _tasksOf(terms, slot.batch));
        else if (seed >> 9 & 1 == 0) _disputeByStake(slot, seed);
    }

    /// @dev The first two that the lot seats at once, with a wrong claim.
    function _colluders(Terms memory terms, uint256 batch) private view returns (Member[] memory members) {
        members = new Member[](2);
        uint256 count;
        for (uint256 who; who < WORKERS - 1 && count < 2; ++who) {
            if (!_seat(terms, batch, who, 0)) continue;
            (members[count].who, members[count].claim, members[count].listed) = (who, 1, true);
            ++count;
        }
        assembly ("memory-safe") {
            mstore(members, count)
        }
    }

    /// @notice Everybody with a seat says that the bytes are withheld.
    function withhold(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, OPEN);
        if (!found || seed >> 8 & 3 != 0) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        if (block.timestamp > terms.deadline || abi.decode(slot.log, (LogItem[])).length != 0) return;
        Play[] memory plays = new Play[](WORKERS - 1);
        uint256 count;
        for (uint256 i; i < WORKERS - 1; ++i) {
            if (!_seat(terms, slot.batch, i, 0)) continue;
            plays[count].who = i;
            plays[count++].claim = UNAVAILABLE;
        }
        assembly ("memory-safe") {
            mstore(plays, count)
        }
        (uint256 attempt,,,) = _drawOf(terms, slot.batch);
        bool prevails = count >= _needed(terms, attempt) && 4 ** count >= terms.policy.confidence() * 4 ** attempt;
        Draft memory draft = _draft(terms, slot.batch, plays);
        if (!prevails) {
            _mustFail(
                abi.encodeCall(
                    ICertifier.voidRound, (draft.terms, draft.batch, draft.claims, draft.entries, draft.log)
                ),
                "voided by too few"
            );
            return;
        }
        uint256 owed = _owed();
        _postVoid(draft);
        if (_owed() - owed != slot.locked) ++paidOtherwise;
        slot.locked = 0;
        slot.status = VOID;
        ++seen["void"];
    }

    function commitOnChain(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, OPEN);
        if (!found) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        (, OpenedWord opened,,) = _drawOf(terms, slot.batch);
        uint256 wave = (block.timestamp - opened.time()) / _patienceOf(terms);
        if (wave > 2 || block.timestamp > terms.deadline) return;
        _commitOne(index, (seed >> 16) % WORKERS, uint8((seed >> 32) % 4 == 0 ? 1 : 0), wave);
    }

    /// @notice Two commit on chain and reveal, one of them lies; the batch may expire over it.
    function contradict(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, OPEN);
        if (!found || seed >> 8 & 1 != 0) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        (, OpenedWord opened,,) = _drawOf(terms, slot.batch);
        uint256 wave = (block.timestamp - opened.time()) / _patienceOf(terms);
        if (wave > 2 || block.timestamp > terms.deadline) return;
        uint256 first = _runtimes[terms.dealId] == 1 ? 0 : FIRST_OF_SECOND;
        for (uint256 i; i < 2; ++i) {
            _commitOne(index, first + i, uint8(i), wave);
        }
        while (_revealOne(index)) {}
        if (seed >> 9 & 1 != 0) return;
        uint256 end = terms.deadline + _rules[terms.dealId].expireGraceSecs + 1;
        vm.warp(end);
        _expire(slot, terms);
    }

    /// @dev A worker commits on chain, where it may.
    function _commitOne(uint256 index, uint256 who, uint8 claim, uint256 wave) private {
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        if (!_drawn(terms, slot.batch, who, wave)) return;
        LogItem[] memory log = abi.decode(slot.log, (LogItem[]));
        if (!_runs(terms, who)) return _tryToCommit(terms, slot.batch, log, who);
        if (_operatorIn(log, _operatorOf(who))) return;
        // Twice the fee of an execution at the limit.
        uint256 reserve =
            (2 * (uint256(terms.fuelLimit) * _tasksOf(terms, slot.batch) * terms.feePerMfuel / 1e6)) / UNIT;
        if (_room(who) < reserve) return;
        log = _commitOnChain(terms, slot.batch, log, who, _claimsOf(terms, slot.batch)[claim]);
        slot.log = abi.encode(log);
        _hidden[index][who] = claim + 1;
        _committedOn[index][who] = _word(who).runtime();
        _risks[who].push(Risk(uint64(block.timestamp + RISK), uint64(reserve)));
        ++seen["commit"];
    }

    /// @dev A worker that the lot would seat tries to commit on another runtime than the deal's.
    function _tryToCommit(Terms memory terms, uint256 batch, LogItem[] memory log, uint256 who) private {
        bytes memory call_ =
            abi.encodeCall(ICertifier.commit, (terms, batch, log, _worker(who), bytes32("another runtime"), ""));
        vm.prank(_worker(who));
        (bool ok, bytes memory answer) = address(certifier).call(call_);
        _require(!ok && bytes4(answer) == ICertifier.NoSeat.selector, "committed on another runtime");
        ++seen["wrong runtime on chain"];
    }

    function revealOnChain(uint256 seed) external {
        (bool found, uint256 index) = _pickWithLog(seed);
        if (found) _revealOne(index);
    }

    /// @dev The first that has committed and not revealed does; answers whether there was one.
    function _revealOne(uint256 index) private returns (bool) {
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        LogItem[] memory log = abi.decode(slot.log, (LogItem[]));
        for (uint256 i; i < log.length; ++i) {
            if (uint8(log[i].word) != 1 || _revealed(log, log[i].word >> 96)) continue;
            uint256 who = _whoIs(address(uint160(log[i].word >> 96)));
            Claim memory claim = _claimsOf(terms, slot.batch)[_hidden[index][who] - 1];
            slot.log = abi.encode(_revealOnChain(terms, slot.batch, log, i, who, claim));
            ++seen["reveal"];
            return true;
        }
        return false;
    }

    function reopen(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, OPEN);
        if (!found) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        (uint256 attempt, OpenedWord opened,,) = _drawOf(terms, slot.batch);
        bytes memory call_ = abi.encodeCall(ICertifier.reopen, (terms, slot.batch));
        bool standing = abi.decode(slot.log, (LogItem[])).length != 0;
        if (
            standing || attempt == 3 || block.timestamp < opened.time() + 3 * _patienceOf(terms)
                || block.timestamp + _patienceOf(terms) > terms.deadline
        ) return _mustFail(call_, "reopened out of turn");
        certifier.reopen(terms, slot.batch);
        uint256 block_ = block.number;
        _mine(1, 12);
        _pin(block_);
        ++seen["reopen"];
    }

    function show(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, PROVISIONAL);
        if (!found || block.timestamp >= _slots[index].finalAt) return;
        _showFirst(_slots[index], index);
    }

    /// @dev The first that has not revealed does, if there is one.
    function _showFirst(Slot storage slot, uint256 index) private {
        CertifiedBatch memory done = _certifiedOf(slot);
        for (uint256 i; i < done.members.length; ++i) {
            if (done.members[i].claim() != BARE) continue;
            _showMember(slot, index, done, i);
            return;
        }
    }

    function _showMember(Slot storage slot, uint256 index, CertifiedBatch memory done, uint256 i) private {
        Terms memory terms = _deals[slot.deal];
        uint256 who = _whoIs(done.members[i].worker());
        Claim memory claim = _claimsOf(terms, slot.batch)[_hidden[index][who] - 1];
        bytes32 roundId = _roundOf(terms, done.certificate);
        vm.recordLogs();
        recourse.show(terms, done, i, claim.root, claim.fuel, _ownTrace(who, roundId));
        bool agrees = claim.root == done.certificate.root;
        if (agrees) slot.escrow -= done.members[i].slash() * UNIT;
        (,, done.members, done.rivals) =
            abi.decode(_dataOf(IRecourse.Shown.selector), (bytes32, uint64, MemberWord[], Claim[]));
        done.certificate.members = keccak256(abi.encode(_roster(done), done.caseTerms));
        slot.certified = abi.encode(done);
        ++seen[agrees ? bytes32("shown agreeing") : bytes32("shown rival")];
    }

    // ---------------------------------------------------------------- after a certificate

    function release(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, PROVISIONAL);
        if (!found) return;
        Slot storage slot = _slots[index];
        CertifiedBatch memory done = _certifiedOf(slot);
        Terms memory terms = _deals[slot.deal];
        if (block.timestamp < slot.finalAt) {
            (bool ok,) = address(recourse).call(abi.encodeCall(IRecourse.release, (terms, done)));
            return _require(!ok, "released before its time");
        }
        _release(terms, done);
        slot.escrow = 0;
        slot.status = FINAL;
        ++seen["release"];
    }

    function deliver(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, (seed >> 8) % 2 == 0 ? FINAL : PROVISIONAL);
        if (!found || !_slots[index].right) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        CertifiedBatch memory done = _certifiedOf(slot);
        uint256 tasks = _tasksOf(terms, slot.batch);
        uint256 task = (seed >> 16) % tasks;
        Receipt[] memory receipts = Receipts.make(tasks, FUEL_EACH);
        bytes memory call_ = abi.encodeCall(
            ICertifier.deliver,
            (_parcel(terms, done, receipts[task]), Receipts.proofOf(receipts, task), Receipts.outputOf(task))
        );
        bool early = terms.policy.finalOnly() && slot.status == PROVISIONAL && block.timestamp < slot.finalAt;
        if (early || certifier.delivered(terms.dealId, slot.batch, task)) {
            return _mustFail(call_, "delivered twice or early");
        }
        _deliverAs([stranger, requester, address(this)][(seed >> 24) % 3], terms, call_);
        ++deliveries;
        ++seen["deliver"];
    }

    /// @dev Delivers; the tip moves whole or not at all, from the requester and from nobody else.
    function _deliverAs(address deliverer, Terms memory terms, bytes memory call_) private {
        uint256 owed = _owed();
        uint256 balance = _balance(terms.requester);
        uint256 before = _balance(deliverer);
        vm.prank(deliverer);
        (bool ok,) = address(certifier).call(call_);
        _require(ok, "not delivered");
        bool pays = balance >= terms.deliveryTip;
        if (terms.deliveryTip != 0) ++seen[pays ? bytes32("tip") : bytes32("no tip")];
        uint256 moved = pays && deliverer != terms.requester ? terms.deliveryTip : 0;
        _require(_balance(terms.requester) == balance - moved, "another tip was taken");
        if (deliverer != terms.requester) _require(_balance(deliverer) == before + moved, "another tip was given");
        _require(_owed() == owed, "a tip made or lost money");
    }

    function expire(uint256 seed) external {
        (bool found, uint256 index) = _pick(seed, OPEN);
        if (!found) return;
        Slot storage slot = _slots[index];
        Terms memory terms = _deals[slot.deal];
        if (block.timestamp <= terms.deadline + _rules[terms.dealId].expireGraceSecs) {
            LogItem[] memory log = abi.decode(slot.log, (LogItem[]));
            return _mustFail(
                abi.encodeCall(ICertifier.expire, (terms, slot.batch, _roundId(terms, slot.batch), log)),
                "expired before its time"
            );
        }
        _expire(slot, terms);
    }

    // ---------------------------------------------------------------- stake, money, owner, time

    function moveStake(uint256 seed) external {
        uint256 who = (seed >> 8) % WORKERS;
        if (seed % 5 == 2) who = _leaving(who);
        WorkerWord word = _word(who);
        vm.startPrank(_operator(_operatorOf(who)));
        uint256 kind = seed % 5;
        uint256 from = word.activeFrom();
        bool leaving = from == WorkerWords.LEAVING;
        if (kind == 0 && word.active() && seed >> 16 & 1 == 0) {
            workforce.leavePool(_worker(who));
        } else if (kind == 1 && leaving && word.bond() * UNIT >= MINIMUM_BOND) {
            workforce.wake(_worker(who));
        } else if (kind == 2 && leaving) {
            _withdrawBond(who, word, seed >> 16);
        } else if (kind == 3 && from != WorkerWords.EXPELLED && _balance(_operator(_operatorOf(who))) >= 5e18) {
            workforce.addBond(_worker(who), 5e18);
        } else if (kind == 4 && word.active() && seed >> 16 & 3 == 0) {
            uint8 runtime = uint8(1 + (seed >> 18 & 1));
            workforce.move(_worker(who), pool + uint32(seed >> 19 & 1), runtime);
            if (runtime != word.runtime()) ++seen["change of runtime"];
        }
        vm.stopPrank();
    }

    /// @dev A worker that is leaving, from this one on, if there is any.
    function _leaving(uint256 who) private view returns (uint256) {
        for (uint256 i; i < WORKERS; ++i) {
            if (_word((who + i) % WORKERS).activeFrom() == WorkerWords.LEAVING) return (who + i) % WORKERS;
        }
        return who;
    }

    function _withdrawBond(uint256 who, WorkerWord word, uint256 seed) private {
        uint256 units = seed % (word.bond() + 1);
        bool free = block.timestamp >= workforce.readyAt(_worker(who));
        bool covered = 2 * _exposure(who) <= word.bond() - units;
        (bool ok,) = address(workforce).call(abi.encodeCall(workforce.withdrawBond, (_worker(who), units * UNIT)));
        _require(ok == (free && covered), "bond at risk left, or a free one could not");
        if (ok) ++seen["withdraw bond"];
    }

    /// @notice A worker that signs two contributions is expelled; whoever proves it is rewarded.
    function expel(uint256 seed) external {
        uint256 who = (seed >> 8) % WORKERS;
        uint256 from = _word(who).activeFrom();
        if (seed & 31 != 0 || from == WorkerWords.EXPELLED) return;
        IRecourse.SignedClaim[2] memory signed;
        for (uint256 i; i < 2; ++i) {
            Claim memory claim = _claims()[i];
            (signed[i].root, signed[i].fuel) = (claim.root, claim.fuel);
            (signed[i].r, signed[i].vs) = _signMessage(_workerKey(who), _contributionHash("round", 0, claim, 0));
        }
        vm.prank(stranger);
        recourse.proveWorkerFault(_worker(who), "round", signed[0], signed[1]);
        ++seen["expel"];
    }

    function moveMoney(uint256 seed) external {
        address[4] memory holders = [requester, sponsor, appOwner, poolOwner];
        address holder = holders[(seed >> 8) % 4];
        uint256 balance = _balance(holder);
        uint256 kind = seed % 4;
        if (kind == 0) {
            _fund(holder, 1 + (seed >> 16) % 1e20);
        } else if (kind == 1) {
            vm.prank(holder);
            vault.withdraw((seed >> 16) % (balance / 4 + 1), holder);
        } else if (kind == 2) {
            vm.prank(_operator((seed >> 16) % (WORKERS - 1)));
            workforce.collectOperatorFees();
        } else {
            vm.prank(poolOwner);
            workforce.collectPoolFees(pool);
            uint256[] memory pools = new uint256[](1);
            pools[0] = pool;
            vm.prank(protocolOwner);
            vault.collectProtocolFees(pools, protocolOwner);
        }
    }

    /// @notice The owner sets any parameters, while rounds are open. Within the bounds they are those of the next deal, beyond
    /// them they are refused; no balance or bond moves, and what open deals do is reckoned by their own.
    function govern(uint256 seed) external {
        uint256 owed = _owed();
        uint256 bonded = _bonded();
        (Parameters memory parameters, bool fits) = _anyParameters(seed);
        vm.prank(protocolOwner);
        (bool ok,) = address(market).call(abi.encodeCall(market.setParameters, (parameters)));
        _require(ok == fits, "parameters beyond their bounds, or good ones refused");
        if (ok) _current = parameters;
        ++seen[ok ? bytes32("govern") : bytes32("parameters refused")];
        _require(owed == _owed() && bonded == _bonded(), "the owner moved money");
        vm.prank(stranger);
        (ok,) = address(market).call(abi.encodeCall(market.setParameters, (_parameters())));
        _require(!ok, "a stranger set parameters");
    }

    /// @dev Random parameters, one time in four with one of them out of bounds. Waves are short more often than not, so that
    /// a deal lives through all of them.
    function _anyParameters(uint256 seed) private pure returns (Parameters memory, bool fits) {
        uint256[7] memory lowest = [uint256(1), 1e6, 1, 0, 1, 1, 1];
        uint256[7] memory highest = [uint256(3600), 1e13, 10_000, 1000, 7 days, 7 days, 1 days];
        uint256[7] memory p;
        for (uint256 i; i < 7; ++i) {
            p[i] = bound(uint256(keccak256(abi.encode(seed, i))), lowest[i], highest[i]);
        }
        if (seed >> 8 & 3 != 0) p[0] = 1 + p[0] % 120;
        fits = seed & 3 != 0;
        uint256 bad = (seed >> 16) % 7;
        if (!fits) p[bad] = lowest[bad] == 0 || seed >> 24 & 1 == 0 ? highest[bad] + 1 : lowest[bad] - 1;
        return (
            Parameters({
                patienceBaseSecs: uint32(p[0]),
                fuelPerSec: uint64(p[1]),
                reputationStep: uint16(p[2]),
                protocolFeeBps: uint16(p[3]),
                expireGraceSecs: uint32(p[4]),
                posterGraceSecs: uint32(p[5]),
                disputeWindowMinSecs: uint32(p[6])
            }),
            fits
        );
    }

    /// @dev The word of the current parameters, by the documented layout.
    function _packed(Parameters memory p) private view returns (uint256) {
        uint256 version = uint16(ParametersWord.unwrap(market.currentParameters()));
        return version | uint256(p.patienceBaseSecs) << 16 | uint256(p.fuelPerSec) << 48 | uint256(p.reputationStep)
            << 112 | uint256(p.protocolFeeBps) << 128 | uint256(p.expireGraceSecs) << 144 | uint256(p.posterGraceSecs)
            << 176 | uint256(p.disputeWindowMinSecs) << 208;
    }

    function wait_(uint256 seed) external {
        uint256 kind = seed % 8;
        _mine(1 + (seed >> 8) % 3, kind < 5 ? 12 + (seed >> 16) % 60 : kind < 7 ? 1 hours : 8 days);
    }

    // ---------------------------------------------------------------- rules

    function tokensAccounted() external view returns (bool) {
        (uint256 locked, uint256 escrow) = _held();
        return token.balanceOf(address(vault)) == _owed() + _bonded() + locked + escrow;
    }

    function stakeCovered() external view returns (bool) {
        for (uint256 i; i < WORKERS; ++i) {
            uint256 exposure = _exposure(i);
            if (exposure > _word(i).bond() || _atRisk(i) > exposure) return false;
        }
        return true;
    }

    function poolBondsMatch() external view returns (bool) {
        uint256[3] memory sums;
        uint256[3] memory running;
        for (uint256 i; i < WORKERS; ++i) {
            WorkerWord word = _word(i);
            if (!word.active()) continue;
            sums[word.pool()] += word.bond();
            running[word.runtime()] += word.bond();
        }
        return workforce.poolOf(1).bond() == sums[1] && workforce.poolOf(2).bond() == sums[2]
            && workforce.runtimeBond(1) == running[1] && workforce.runtimeBond(2) == running[2];
    }

    function statusesMatch() external view returns (bool) {
        for (uint256 i; i < _slots.length; ++i) {
            Slot storage slot = _slots[i];
            bytes32 dealId = _deals[slot.deal].dealId;
            if (slot.closed) {
                (bytes32 stored,) = market.deal(dealId, 0);
                if (stored != bytes32(uint256(1))) return false;
            } else if (uint8(certifier.batchWord(dealId, slot.batch)) != slot.status) {
                return false;
            }
        }
        return true;
    }

    function dealsUnchanged() external view returns (bool) {
        for (uint256 i; i < _slots.length; ++i) {
            bytes32 dealId = _deals[_slots[i].deal].dealId;
            (bytes32 stored,) = market.deal(dealId, 0);
            if (!_slots[i].closed && stored != _termsHashes[dealId]) return false;
        }
        // An open deal goes on under the parameters of its version, word for word.
        for (uint256 i; i < _deals.length; ++i) {
            bytes32 dealId = _deals[i].dealId;
            (, ParametersWord word) = market.deal(dealId, _deals[i].opened.version());
            if (ParametersWord.unwrap(word) != _ruleWords[dealId]) return false;
        }
        return ParametersWord.unwrap(market.currentParameters()) == _packed(_current);
    }

    function onceOnly() external view returns (bool) {
        for (uint256 i; i < _slots.length; ++i) {
            if (_slots[i].certificates > 1) return false;
        }
        return _callback.deliveries() == deliveries;
    }

    function breachCount() external view returns (uint256) {
        return breaches.length;
    }

    /// @notice Nobody answers any more: everything can leave, and what stays is burnt.
    function drain() external returns (bool) {
        vm.warp(block.timestamp + 20 days);
        for (uint256 i; i < _slots.length; ++i) {
            Slot storage slot = _slots[i];
            if (slot.status == OPEN) _expire(slot, _deals[slot.deal]);
            if (slot.status == DISPUTED && slot.verdict == 0) _decide(slot);
            if (slot.status == DISPUTED) _finalize(slot);
            if (slot.stray) _dismiss(slot);
            if (slot.status != PROVISIONAL) continue;
            _release(_deals[slot.deal], _certifiedOf(slot));
            slot.escrow = 0;
        }
        _concludeAll();
        for (uint256 i; i < WORKERS; ++i) {
            _drainBond(i);
        }
        (uint256 locked, uint256 escrow) = _held();
        (, uint96 first,) = workforce.poolDetails(1);
        (, uint96 second,) = workforce.poolDetails(2);
        return locked + escrow == 0 && _bonded() == uint256(first) + second
            && token.balanceOf(address(vault)) == _owed() + _bonded();
    }

    function _drainBond(uint256 who) private {
        address worker = _worker(who);
        vm.startPrank(_operator(_operatorOf(who)));
        if (_word(who).activeFrom() == WorkerWords.EXPELLED) {
            workforce.burnExpelled(worker);
        } else {
            if (_word(who).activeFrom() != WorkerWords.LEAVING) {
                workforce.leavePool(worker);
                vm.warp(block.timestamp + 7 days);
            }
            workforce.withdrawBond(worker, _word(who).bond() * UNIT);
        }
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- helpers

    /// @dev The list's members by their seats and whims, then who stands on chain only.
    function _members(uint256 index, Terms memory terms, LogItem[] memory log, uint256 seed)
        private
        returns (Member[] memory members)
    {
        uint256 batch = _slots[index].batch;
        members = new Member[](2 * WORKERS);
        uint256 count;
        // One round in four is played by colluders: then a wrong root is what most say.
        uint8 main = seed >> 200 & 3 == 0 ? 1 : 0;
        uint256 begun = _begun(terms, batch);
        for (uint256 i; i < WORKERS; ++i) {
            uint256 whim = (seed >> (8 * i)) % 16;
            bool second = i == WORKERS - 1 && count != 0 && members[0].who == 0;
            if (whim == 15 || second || _standsIn(log, i)) continue;
            uint256 first = _firstWave(terms, batch, i, begun);
            if (first == 3) continue;
            members[count].who = i;
            // Some come in a later wave than they might have.
            members[count].wave = uint8(seed >> (208 + i) & 1 == 0 ? first : begun);
            members[count].listed = true;
            members[count].claim = whim < 10 ? main : whim < 12 ? 1 - main : whim < 14 ? BARE : UNAVAILABLE;
            if (members[count].claim == BARE) _hidden[index][i] = uint8(1 + whim % 2);
            ++count;
        }
        for (uint256 i; i < log.length; ++i) {
            if (uint8(log[i].word) != 1) continue;
            uint256 who = _whoIs(address(uint160(log[i].word >> 96)));
            members[count].who = who;
            members[count].wave = uint8(log[i].word >> 8);
            members[count++].claim = _revealed(log, log[i].word >> 96) ? _hidden[index][who] - 1 : BARE;
        }
        assembly ("memory-safe") {
            mstore(members, count)
        }
    }

    /// @dev The claim that more make.
    function _more(Member[] memory members) private pure returns (uint8) {
        uint256[2] memory counts;
        for (uint256 i; i < members.length; ++i) {
            if (members[i].claim < 2) ++counts[members[i].claim];
        }
        return counts[1] > counts[0] ? 1 : 0;
    }

    /// @dev Writes a certificate down and compares it with the reference.
    function _note(
        uint256 index,
        CertifiedBatch memory done,
        Outcome memory outcome,
        Member[] memory members,
        uint8 leading
    ) private {
        Slot storage slot = _slots[index];
        Certificate memory certificate = done.certificate;
        _require(certificate.odds == outcome.odds, "odds");
        _require(certificate.seats == outcome.seats, "seats");
        _require(certificate.stake == outcome.seats * outcome.exposure * UNIT, "stake");
        slot.status = PROVISIONAL;
        slot.finalAt = certificate.finalAt;
        slot.locked = 0;
        slot.right = leading == 0;
        ++slot.certificates;
        slot.certified = abi.encode(done);
        for (uint256 i; i < done.members.length; ++i) {
            slot.escrow += done.members[i].slash() * UNIT;
        }
        for (uint256 i; i < members.length; ++i) {
            if (members[i].claim != leading || !members[i].counts) continue;
            uint256 who = members[i].who;
            _risks[who].push(Risk(uint64(block.timestamp + RISK), uint64(outcome.exposure)));
            _require(2 * _exposure(who) <= _word(who).bond(), "more than half a bond at risk");
            if (members[i].listed && members[i].wave != 0) ++seen["certify in a later wave"];
        }
        _checkRuntimes(index, done);
        ++seen[leading == 0 ? bytes32("certify") : bytes32("certify wrong")];
    }

    /// @dev Everybody whom a certificate counts is on its deal's runtime; whose commitment stands on chain was when it committed.
    function _checkRuntimes(uint256 index, CertifiedBatch memory done) private {
        uint256 runtime = _runtimes[done.certificate.dealId];
        for (uint256 i; i < done.members.length; ++i) {
            uint256 claim = done.members[i].claim();
            if (claim == LEFT_OUT || claim == LEFT_OUT_BARE) continue;
            uint256 who = _whoIs(done.members[i].worker());
            uint256 committedOn = _committedOn[index][who];
            _require((committedOn == 0 ? _word(who).runtime() : committedOn) == runtime, "a member of another runtime");
        }
        if (runtime == 2) ++seen["certify on runtime 2"];
    }

    function _standsIn(LogItem[] memory log, uint256 who) private view returns (bool) {
        for (uint256 i; i < log.length; ++i) {
            if (log[i].word >> 96 == uint160(_worker(who))) return true;
        }
        return false;
    }
}
