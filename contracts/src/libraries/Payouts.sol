// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {WorkerWords} from "./WorkerWords.sol";

/// @title Who gets what of a batch
/// @notice `docs/encoding.md` section 6, to the letter. Fees are per million fuel; all divisions round down unless said.
library Payouts {
    uint256 private constant BPS = 10_000;
    uint256 private constant MFUEL = 1e6;

    /// @notice The shares of one execution of a batch.
    struct Shares {
        uint256 gross;
        uint256 poolCut;
        uint256 protocolCut;
        uint256 net;
    }

    /// @notice Worst case of a batch: what its payer locks. Each execution's fee is rounded up.
    function lockOf(uint256 replicasMax, uint256 fuelLimit, uint256 tasks, uint256 feePerMfuel, uint256 pricePerTask)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            // 8 bits of replicas, 64 of fuel, 32 of tasks, 96 of fee, 97 of prices.
            return replicasMax * ((fuelLimit * tasks * feePerMfuel + MFUEL - 1) / MFUEL) + pricePerTask * tasks;
        }
    }

    /// @notice Splits the fee of one execution of a batch.
    /// @param fuel Certified fuel of the whole batch.
    function sharesOf(uint256 fuel, uint256 feePerMfuel, uint256 poolShareBps, uint256 protocolFeeBps)
        internal
        pure
        returns (Shares memory shares)
    {
        unchecked {
            // 64 bits of fuel, 96 of fee, 16 of shares; pool and protocol take 60 % at most.
            shares.gross = fuel * feePerMfuel / MFUEL;
            shares.poolCut = shares.gross * poolShareBps / BPS;
            shares.protocolCut = shares.gross * protocolFeeBps / BPS;
            shares.net = shares.gross - shares.poolCut - shares.protocolCut;
        }
    }

    /// @notice What a dissenter or a silent member loses: twice the fee of an execution, at least one bond unit; in bond
    /// units, rounded up.
    function slashUnits(uint256 gross) internal pure returns (uint256) {
        uint256 units;
        unchecked {
            // A fee of 192 bits at most.
            units = (2 * gross + WorkerWords.BOND_UNIT - 1) / WorkerWords.BOND_UNIT;
        }
        if (units == 0) return 1;
        return units < type(uint40).max ? units : type(uint40).max;
    }

    /// @notice What each agreeing member puts at risk: its part of the collateral, and at least its fee, a juror's fee and
    /// its part of the prices that a refund would take; in bond units, rounded up, at least one.
    function exposureUnits(uint256 gross, uint256 prices, uint256 collateralMin, uint256 agreeing)
        internal
        pure
        returns (uint256)
    {
        uint256 units;
        unchecked {
            // 192 bits of fee, 129 of prices, 96 of collateral; `agreeing` is not zero.
            uint256 least = 2 * gross + (prices + agreeing - 1) / agreeing;
            uint256 share = (collateralMin + agreeing - 1) / agreeing;
            units = ((share > least ? share : least) + WorkerWords.BOND_UNIT - 1) / WorkerWords.BOND_UNIT;
        }
        if (units == 0) return 1;
        return units < type(uint40).max ? units : type(uint40).max;
    }

    /// @notice What an audit that agrees earns a contributor: a reputation point for each bond unit that the certificate brought
    /// the protocol, rounded down, `step` points at most: reputation rests on many audits, not on one expensive deal.
    function pointsOf(uint256 protocolCut, uint256 step) internal pure returns (uint256) {
        uint256 points = protocolCut / WorkerWords.BOND_UNIT;
        return points < step ? points : step;
    }

    /// @notice The part of slashed stake that nobody gets, so that slashing oneself costs: a fifth, rounded up.
    function burnOf(uint256 slashed) internal pure returns (uint256) {
        return (slashed + 4) / 5;
    }

    /// @notice Splits escrow after the window: a fifth is burnt (rounded up), extra executions are paid back to the payer,
    /// the rest goes to the right members in equal parts, what does not divide to the payer.
    function escrow(uint256 slashed, uint256 extraExecutions, uint256 gross, uint256 winners)
        internal
        pure
        returns (uint256 burnt, uint256 toPayer, uint256 toEachWinner)
    {
        burnt = burnOf(slashed);
        uint256 rest = slashed - burnt;
        toPayer = extraExecutions * gross;
        if (toPayer > rest) toPayer = rest;
        toEachWinner = (rest - toPayer) / winners;
        toPayer = rest - toEachWinner * winners;
    }
}
