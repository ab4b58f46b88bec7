// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Confidence} from "../../src/libraries/Confidence.sol";
import {Payouts} from "../../src/libraries/Payouts.sol";
import {vm} from "../support/Vm.sol";
import {Vectors} from "./Vectors.sol";

/// @title Odds: `docs/encoding.md` section 5
contract ConfidenceVectors is Vectors {
    struct WeightCase {
        uint256 countReputation;
        uint256 faultyShareBps;
        uint256 reputation;
        uint256 step;
        uint256 wave;
        uint256 weight;
    }

    struct GroupCase {
        uint256 group;
        uint256[] weights;
    }

    struct OpposingCase {
        uint256 opposing;
        uint256[] rivals;
        uint256[] silent;
    }

    struct OddsCase {
        uint256 leading;
        uint256 odds;
        uint256 opposing;
    }

    struct TargetCase {
        uint256 attempt;
        uint256 confidence;
        uint256 target;
    }

    function setUp() public {
        _open("confidence");
    }

    function test_weights() public view {
        WeightCase[] memory cases = abi.decode(_section("weights"), (WeightCase[]));
        for (uint256 i; i < cases.length; ++i) {
            WeightCase memory c = cases[i];
            uint256 reputation = c.countReputation != 0 ? c.reputation : 0;
            vm.assertEq(Confidence.weight(c.faultyShareBps, c.wave, reputation, c.step), c.weight);
        }
    }

    function test_groups() public view {
        GroupCase[] memory cases = abi.decode(_section("groups"), (GroupCase[]));
        for (uint256 i; i < cases.length; ++i) {
            uint256 group = Confidence.ONE;
            for (uint256 j; j < cases[i].weights.length; ++j) {
                group = Confidence.times(group, cases[i].weights[j]);
            }
            vm.assertEq(group, cases[i].group);
        }
    }

    function test_opposing() public view {
        OpposingCase[] memory cases = abi.decode(_section("opposing"), (OpposingCase[]));
        for (uint256 i; i < cases.length; ++i) {
            uint256 sum;
            for (uint256 j; j < cases[i].silent.length; ++j) {
                sum = Confidence.plus(sum, cases[i].silent[j]);
            }
            for (uint256 j; j < cases[i].rivals.length; ++j) {
                sum = Confidence.plus(sum, cases[i].rivals[j]);
            }
            vm.assertEq(sum, cases[i].opposing);
        }
    }

    function test_odds() public view {
        OddsCase[] memory cases = abi.decode(_section("odds"), (OddsCase[]));
        for (uint256 i; i < cases.length; ++i) {
            vm.assertEq(Confidence.odds(cases[i].leading, cases[i].opposing), cases[i].odds);
        }
    }

    function test_targets() public view {
        TargetCase[] memory cases = abi.decode(_section("targets"), (TargetCase[]));
        for (uint256 i; i < cases.length; ++i) {
            vm.assertEq(Confidence.target(cases[i].confidence, cases[i].attempt), cases[i].target);
        }
    }
}

/// @title Payouts: `docs/encoding.md` section 6
contract PayoutVectors is Vectors {
    struct UnitsCase {
        uint256 agreeing;
        uint256 collateralMin;
        uint256 exposureUnits;
        uint256 gross;
        uint256 prices;
        uint256 slashUnits;
    }

    struct EscrowCase {
        uint256 burnt;
        uint256 extraExecutions;
        uint256 gross;
        uint256 slashed;
        uint256 toEachWinner;
        uint256 toPayer;
        uint256 winners;
    }

    struct BatchCase {
        uint256 agreeing;
        uint256 appPrice;
        uint256 datasetPrice;
        uint256 feePerMfuel;
        uint256 fuel;
        uint256 fuelLimit;
        uint256 lock;
        uint256 poolShareBps;
        uint256 protocolFeeBps;
        uint256 refund;
        uint256 replicasMax;
        uint256 tasks;
        uint256 toApp;
        uint256 toDataset;
        uint256 toEachWorker;
        uint256 toPool;
    }

    struct PointsCase {
        uint256 points;
        uint256 protocolCut;
        uint256 step;
    }

    function setUp() public {
        _open("payouts");
    }

    function test_batches() public view {
        BatchCase[] memory cases = abi.decode(_section("batches"), (BatchCase[]));
        for (uint256 i; i < cases.length; ++i) {
            BatchCase memory c = cases[i];
            uint256 price = c.appPrice + c.datasetPrice;
            vm.assertEq(Payouts.lockOf(c.replicasMax, c.fuelLimit, c.tasks, c.feePerMfuel, price), c.lock);
            Payouts.Shares memory shares = Payouts.sharesOf(c.fuel, c.feePerMfuel, c.poolShareBps, c.protocolFeeBps);
            uint256 paid = c.agreeing < c.replicasMax ? c.agreeing : c.replicasMax;
            vm.assertEq(shares.net, c.toEachWorker);
            vm.assertEq(paid * (shares.poolCut + shares.protocolCut), c.toPool);
            vm.assertEq(c.lock - paid * shares.gross - price * c.tasks, c.refund);
        }
    }

    function test_units() public view {
        UnitsCase[] memory cases = abi.decode(_section("units"), (UnitsCase[]));
        for (uint256 i; i < cases.length; ++i) {
            UnitsCase memory c = cases[i];
            vm.assertEq(Payouts.slashUnits(c.gross), c.slashUnits);
            vm.assertEq(Payouts.exposureUnits(c.gross, c.prices, c.collateralMin, c.agreeing), c.exposureUnits);
        }
    }

    function test_points() public view {
        PointsCase[] memory cases = abi.decode(_section("points"), (PointsCase[]));
        for (uint256 i; i < cases.length; ++i) {
            vm.assertEq(Payouts.pointsOf(cases[i].protocolCut, cases[i].step), cases[i].points);
        }
    }

    function test_escrows() public view {
        EscrowCase[] memory cases = abi.decode(_section("escrows"), (EscrowCase[]));
        for (uint256 i; i < cases.length; ++i) {
            EscrowCase memory c = cases[i];
            (uint256 burnt, uint256 toPayer, uint256 each) =
                Payouts.escrow(c.slashed, c.extraExecutions, c.gross, c.winners);
            vm.assertEq(burnt, c.burnt);
            vm.assertEq(toPayer, c.toPayer);
            vm.assertEq(each, c.toEachWinner);
        }
    }
}
