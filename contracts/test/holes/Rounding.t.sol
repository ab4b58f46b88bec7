// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertifier} from "../../src/interfaces/ICertifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {Accounts} from "../../src/libraries/Accounts.sol";
import {Confidence} from "../../src/libraries/Confidence.sol";
import {Lot} from "../../src/libraries/Lot.sol";
import {ParametersWords} from "../../src/libraries/ParametersWords.sol";
import {Payouts} from "../../src/libraries/Payouts.sol";
import {CertifiedBatch, Claim, LogItem} from "../../src/types/Certificates.sol";
import {Parameters} from "../../src/types/Parameters.sol";
import {Terms} from "../../src/types/Terms.sol";
import {Plays} from "../support/Plays.sol";
import {vm} from "../support/Vm.sol";
import {PayoutVectors} from "../vectors/Amounts.t.sol";
import {Vectors} from "../vectors/Vectors.sol";

/// @title Integer rules, in the deployed contracts
/// @notice `docs/encoding.md` sections 3, 5 and 6. Numbers are written out, and were not reckoned by the contracts.
contract RoundingHolesTest is Plays, Vectors {
    uint256 private constant UNITS_MAX = type(uint40).max;

    LogItem[] private _none;

    /// @dev Of every division the direction that encoding.md names.
    function test_hole_34_divisionsRoundAsNamed() public pure {
        // Down: a weight of 2.3333333, its square, odds of 8.89258678, want of 2 (3.5) and of 3 (5), of 4 at a third (11.76).
        vm.assertEq(Confidence.freshWeight(3000), 2_333_333);
        vm.assertEq(Confidence.times(2_333_333, 2_333_333), 5_444_442);
        vm.assertEq(Confidence.odds(29_641_953, 2_333_333), 8_892_586);
        vm.assertEq(Lot.want(2, 2000), 3);
        vm.assertEq(Lot.want(3, 2000), 5);
        vm.assertEq(Lot.want(4, 3300), 11);
        // Up: each execution of a lock, slashes, stake at risk, what is burnt.
        vm.assertEq(Payouts.lockOf(8, 1, 1, 1, 0), 8);
        vm.assertEq(Payouts.slashUnits(0), 1);
        vm.assertEq(Payouts.slashUnits(5e14), 1);
        vm.assertEq(Payouts.slashUnits(5e14 + 1), 2);
        vm.assertEq(Payouts.exposureUnits(0, 0, 3e15, 3), 1);
        vm.assertEq(Payouts.exposureUnits(0, 0, 3e15 + 1, 3), 2);
        vm.assertEq(Payouts.exposureUnits(0, 3e15 + 1, 0, 3), 2);
        vm.assertEq(Payouts.burnOf(5), 1);
        vm.assertEq(Payouts.burnOf(6), 2);
        // Down, and what does not divide is the payer's.
        (uint256 burnt, uint256 toPayer, uint256 each) = Payouts.escrow(7, 0, 0, 2);
        vm.assertEq(burnt, 2);
        vm.assertEq(each, 2);
        vm.assertEq(toPayer, 1);
    }

    /// @dev A deal in which nothing divides: every sum that moves is off by one if one of the roundings is another.
    function test_hole_34_aDealInWhichNothingDividesPaysAsNamed() public {
        _buildCity(5);
        Offer memory offer = _offer();
        (offer.app.price, offer.request.appPriceMax) = (7, 7);
        (offer.pool.feePerMfuel, offer.request.feePerMfuelMax) = (1_000_007, 1_000_007);
        offer.request.fuelLimit = 10_000_001;
        (offer.request.policy.faultyShareBps, offer.request.policy.confidence) = (3000, 5);
        offer.request.policy.collateralMin = 4e15 + 1;
        uint256 payer = _balance(requester);
        Terms memory terms = _open(offer);
        // 8 executions of 10,000,071.000007, each rounded up, and 7 for the app; 0.1 seconds of work are one.
        vm.assertEq(payer - _balance(requester), 80_000_583);
        vm.assertEq(terms.opened.patience(), 61);
        Claim[] memory claims = _claims();
        claims[0].fuel = 4_000_003;
        CertifiedBatch memory done = _certify(_draftOf(terms, 0, claims, _both(_all(0, 4, 0), _all(4, 1, 1))));
        // 4 weights of 2.333333 are 29.641953, against 1 + 2.333333.
        vm.assertEq(done.certificate.odds, 8_892_586);
        // A quarter of the collateral is one unit and a quarter of one in 1e18: two units each.
        vm.assertEq(done.certificate.stake, 8e15);
        vm.assertEq(_exposure(0), 2);
        _checkSums(terms, done, payer);
    }

    function _checkSums(Terms memory terms, CertifiedBatch memory done, uint256 payer) private {
        // 4,000,031.000021 for an execution; 400,003.1 of it to the pool and 200,001.55 to the protocol.
        vm.assertEq(payer - _balance(requester), 4 * 4_000_031 + 7);
        vm.assertEq(vault.balanceOf(Accounts.ofPool(pool)), 4 * 400_003);
        vm.assertEq(vault.protocolFeesOf(pool), 4 * 200_001);
        vm.assertEq(_balance(appOwner), 7);
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(_fees(i), 3_400_027);
        }
        // Twice the fee is far below a bond unit, so it is one.
        vm.assertEq(_word(4).bond(), BOND / UNIT - 1);
        vm.warp(done.certificate.finalAt);
        _release(terms, done);
        // A fifth of the unit is burnt; one execution was more than the target needs: the rest less its fee, by four, is
        // 199,999,998,999,992.25.
        vm.assertEq(_burnt(), 2e14);
        vm.assertEq(payer - _balance(requester), 4 * 4_000_031 + 7 - 4_000_032);
        for (uint256 i; i < 4; ++i) {
            vm.assertEq(_fees(i), 3_400_027 + 199_999_998_999_992);
        }
    }

    /// @dev 19 to the 30th is more than 128 bits of micro units hold: the product stays at the most, and divides from there.
    function test_hole_34_productsStayAtTheMost() public {
        vm.pauseGasMetering();
        _buildCity(31);
        Terms memory terms = _open(_manyOffer(FEE));
        CertifiedBatch memory done = _certify(_draft(terms, 0, _all(0, 30, 0)));
        vm.assertEq(done.certificate.odds, 340_282_366_920_938_463_463_374_607_431_768_211_455);
        terms = _open(_manyOffer(FEE));
        done = _certify(_draft(terms, 0, _both(_all(0, 30, 0), _all(30, 1, 1))));
        // The same against 1 + 19.
        vm.assertEq(done.certificate.odds, 17_014_118_346_046_923_173_168_730_371_588_410_572);
    }

    /// @dev Slashes and stake at risk have 40 bits of units. A fee beyond them asks for all of the 40 bits, which nobody has free, and
    /// not for what is left of it after the 40th bit.
    function test_hole_34_unitsStayAtTheMost() public {
        vm.pauseGasMetering();
        _buildCity(31);
        _fund(requester, 4e28);
        Terms memory terms = _open(_manyOffer(1e26));
        bytes memory refusal =
            abi.encodeWithSelector(ICertifier.ExposureTooHigh.selector, _worker(0), UNITS_MAX, BOND / UNIT / 2);
        vm.prank(_worker(0));
        vm.expectRevert(refusal);
        certifier.commit(terms, 0, _none, _worker(0), "blind", "");
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(RIGHT, FUEL_LIMIT);
        Draft memory draft = _draftOf(terms, 0, claims, _all(0, 30, 0));
        address first = address(uint160(draft.entries[0].word >> 96));
        vm.expectRevert(abi.encodeWithSelector(ICertifier.ExposureTooHigh.selector, first, UNITS_MAX, BOND / UNIT / 2));
        _post(draft);
    }

    /// @dev An offer that thirty workers of weight 19 certify.
    function _manyOffer(uint96 fee) private returns (Offer memory offer) {
        offer = _offer();
        (offer.pool.feePerMfuel, offer.request.feePerMfuelMax) = (fee, fee);
        offer.request.policy.faultyShareBps = 500;
        offer.request.policy.confidence = type(uint32).max;
        (offer.request.policy.replicasMin, offer.request.policy.replicasMax) = (30, 32);
    }

    /// @dev What is divided by in a round is bounded before: share of faulty stake, tasks of a batch, operators that agree, reference
    /// speed, reputation's step, length of a wave.
    function test_hole_34_noDivisorIsZero() public {
        _buildCity(5);
        Offer memory offer = _offer();
        offer.request.policy.faultyShareBps = 0;
        _refused(offer, "faultyShareBps", 500, 4900);
        offer = _offer();
        offer.request.batchSize = 0;
        _refused(offer, "batchSize", 1, 65_536);
        offer = _offer();
        offer.request.policy.replicasMin = 0;
        _refused(offer, "replicasMin", 1, 8);
        Parameters memory p = _parameters();
        p.patienceBaseSecs = 0;
        _refused(p, "patienceBaseSecs", 1, 3600);
        p = _parameters();
        p.fuelPerSec = 0;
        _refused(p, "fuelPerSec", 1e6, 1e13);
        p = _parameters();
        p.reputationStep = 0;
        _refused(p, "reputationStep", 1, 10_000);
    }

    function _refused(Offer memory offer, string memory name, uint256 lowest, uint256 highest) private {
        offer = _sign(offer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RequestOutOfBounds.selector, name, 0, lowest, highest));
        _match(offer);
    }

    function _refused(Parameters memory p, string memory name, uint256 lowest, uint256 highest) private {
        vm.prank(protocolOwner);
        vm.expectRevert(abi.encodeWithSelector(ParametersWords.ParameterOutOfBounds.selector, name, 0, lowest, highest));
        market.setParameters(p);
    }

    /// @dev What cannot be bounded before is asked for: who agrees, and the pool's bond. The one worker that is left of a pool lost all
    /// of its bond, so that the lot would divide by nothing: it has no seat.
    function test_hole_34_nothingIsDividedByNobody() public {
        vm.pauseGasMetering();
        _buildCity(4);
        _joinPool(4, 4, pool, 1, MINIMUM_BOND);
        Offer memory offer = _offer();
        (offer.pool.feePerMfuel, offer.request.feePerMfuelMax) = (2e18, 2e18);
        (Terms memory terms,) = _openWithSeats(offer, 5, 5);
        Draft memory draft = _draft(terms, 0, _all(0, 5, BARE));
        draft.claims = _first(_claims(), 1);
        vm.expectRevert(abi.encodeWithSelector(ICertifier.TooFewOperators.selector, 0, 3));
        _post(draft);
        _certify(_draft(terms, 0, _both(_all(0, 4, 0), _all(4, 1, BARE))));
        vm.assertEq(_word(4).bond(), 0);
        for (uint256 i; i < 4; ++i) {
            vm.prank(_operator(i));
            workforce.leavePool(_worker(i));
        }
        vm.assertEq(workforce.poolOf(pool).bond(), 0);
        _mine(1, 12);
        terms = _open(_offer());
        vm.assertEq(terms.opened.poolBond(), 0);
        address worker = _worker(4);
        vm.prank(worker);
        _expect(ICertifier.NoSeat.selector, worker);
        certifier.commit(terms, 0, _none, worker, "blind", "");
        draft = _draft(terms, 0, _all(4, 1, UNAVAILABLE));
        _expect(ICertifier.NoSeat.selector, worker);
        _postVoid(draft);
    }

    /// @dev Nothing is paid for, and still something is at risk: a unit of each.
    function test_hole_34_nothingTimesAnythingIsAUnitAtRisk() public {
        _buildCity(5);
        Offer memory offer = _offer();
        (offer.app.price, offer.pool.feePerMfuel) = (0, 0);
        CertifiedBatch memory done = _certify(_draft(_open(offer), 0, _both(_all(0, 4, 0), _all(4, 1, 1))));
        vm.assertEq(done.certificate.stake, 4 * UNIT);
        vm.assertEq(_exposure(0), 1);
        vm.assertEq(_word(4).bond(), BOND / UNIT - 1);
    }

    /// @dev The most that can be locked, and a slash beside it: together more than a payment's 96 bits. The payer gets both to the last
    /// unit, nobody else gets any of it.
    function test_hole_34_aRefundAndASlashBeyond96BitsReachThePayer() public {
        _buildCity(3);
        _fund(requester, type(uint96).max);
        Offer memory offer = _offer();
        // 8 executions of 1e17 and the app are 2^96 - 1.
        offer.app.price = type(uint96).max - 8e17;
        offer.request.appPriceMax = offer.app.price;
        uint256 payer = _balance(requester);
        uint256 held = token.balanceOf(address(vault));
        // Of three workers everybody has one of the five seats that are wanted.
        Terms memory terms = _open(offer);
        vm.assertEq(payer - _balance(requester), 79_228_162_514_264_337_593_543_950_335);
        LogItem[] memory log = _commitOnChain(terms, 0, _none, 0, _claims()[0]);
        bytes32 roundId = _roundId(terms, 0);
        vm.warp(terms.deadline + 601);
        certifier.expire(terms, 0, roundId, log);
        // Twice the fee: 200 units, a fifth of them burnt.
        vm.assertEq(_word(0).bond(), BOND / UNIT - 200);
        vm.assertEq(_balance(requester), payer + 16e16);
        vm.assertEq(_burnt(), 4e16);
        vm.assertEq(_balance(address(uint160(requester) ^ 1)), 0);
        vm.assertEq(token.balanceOf(address(vault)), held);
    }

    /// @dev What Rust reckoned of a batch is what the deployed contracts lock and pay, to the last unit: every case of the shared
    /// vectors whose lock, stake and seats a pool of 32 workers can have.
    function test_hole_34_theSharedVectorsAreWhatIsPaid() public {
        vm.pauseGasMetering();
        _open("payouts");
        _buildCity(0);
        uint256 bond = UNITS_MAX / 32 * UNIT;
        for (uint256 i; i < 32; ++i) {
            _joinPool(i, i, pool, 1, bond);
        }
        _fund(requester, type(uint96).max);
        _mine(1, 12);
        PayoutVectors.BatchCase[] memory cases = abi.decode(_section("batches"), (PayoutVectors.BatchCase[]));
        uint256 played;
        for (uint256 i; i < cases.length; ++i) {
            PayoutVectors.BatchCase memory c = cases[i];
            uint256 prices = (c.appPrice + c.datasetPrice) * c.tasks;
            uint256 units = Payouts.exposureUnits(c.fuel * c.feePerMfuel / 1e6, prices, 0, c.agreeing);
            if (c.lock > type(uint96).max || units > bond / UNIT / 2 || c.agreeing > 4 * Lot.want(_payees(c), 2000)) {
                continue;
            }
            uint256 state = vm.snapshotState();
            this.play(c);
            vm.revertToState(state);
            ++played;
        }
        vm.assertGt(2 * played, cases.length);
    }

    /// @notice Plays one case: a call of its own, whose memory is free afterwards.
    function play(PayoutVectors.BatchCase calldata c) external {
        uint256[5] memory before = _accounts();
        (Terms memory terms, uint256[] memory who) = _openFor(c);
        vm.assertEq(before[0] - _balance(requester), c.lock);
        vm.warp(terms.opened.time() + 2 * terms.opened.patience());
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(RIGHT, uint64(c.fuel));
        Play[] memory plays = _some(who, 0, c.agreeing, 0);
        for (uint256 i; i < plays.length; ++i) {
            plays[i].wave = 2;
        }
        _certify(_draftOf(terms, 0, claims, plays));
        uint256[5] memory now_ = _accounts();
        vm.assertEq(before[0] - now_[0], c.lock - c.refund);
        vm.assertEq(now_[1] - before[1], c.toApp);
        vm.assertEq(now_[2] - before[2], c.toDataset);
        vm.assertEq(now_[3] + now_[4] - before[3] - before[4], c.toPool);
        uint256 paid;
        for (uint256 i; i < 32; ++i) {
            if (_fees(i) == 0) continue;
            vm.assertEq(_fees(i), c.toEachWorker);
            ++paid;
        }
        vm.assertEq(paid, c.toEachWorker == 0 ? 0 : _payees(c));
    }

    function _payees(PayoutVectors.BatchCase memory c) private pure returns (uint256) {
        return c.agreeing < c.replicasMax ? c.agreeing : c.replicasMax;
    }

    /// @dev Opens the case's deal at a moment when as many workers as agree get a seat by wave 2.
    function _openFor(PayoutVectors.BatchCase calldata c) private returns (Terms memory terms, uint256[] memory who) {
        Offer memory offer = _offerOf(c);
        who = new uint256[](32);
        for (uint256 tries; tries < 50; ++tries) {
            uint256 state = vm.snapshotState();
            terms = _open(offer);
            uint256 count;
            for (uint256 i; i < 32; ++i) {
                if (_hasSeat(terms, 0, i, 2)) who[count++] = i;
            }
            if (count >= c.agreeing) return (terms, who);
            vm.revertToState(state);
            offer.request.salt = keccak256(abi.encode(offer.request.salt));
        }
        revert("the lot is not so kind");
    }

    function _accounts() private view returns (uint256[5] memory) {
        return [
            _balance(requester),
            _balance(appOwner),
            _balance(datasetOwner),
            vault.balanceOf(Accounts.ofPool(pool)),
            vault.protocolFeesOf(pool)
        ];
    }

    /// @dev The deal of a case, under its shares.
    function _offerOf(PayoutVectors.BatchCase calldata c) private returns (Offer memory offer) {
        vm.prank(poolOwner);
        workforce.setPool(pool, coordinator, uint16(c.poolShareBps), false);
        Parameters memory p = _parameters();
        (p.protocolFeeBps, p.fuelPerSec) = (uint16(c.protocolFeeBps), 1e13);
        vm.prank(protocolOwner);
        market.setParameters(p);
        offer = _withDataset(_offerOf(uint32(c.tasks), uint32(c.tasks)));
        (offer.app.price, offer.request.appPriceMax) = (uint96(c.appPrice), uint96(c.appPrice));
        (offer.dataset.price, offer.request.datasetPriceMax) = (uint96(c.datasetPrice), uint96(c.datasetPrice));
        (offer.pool.feePerMfuel, offer.request.feePerMfuelMax) = (uint96(c.feePerMfuel), uint96(c.feePerMfuel));
        offer.request.fuelLimit = uint64(c.fuelLimit);
        offer.request.deadline = uint64(block.timestamp + 300 days);
        offer.request.policy.confidence = 1;
        offer.request.policy.faultyShareBps = 500;
        offer.request.policy.replicasMax = uint8(c.replicasMax);
        offer.request.policy.replicasMin = uint8(_payees(c));
    }
}
