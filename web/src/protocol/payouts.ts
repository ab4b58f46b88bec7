/** Payouts: what a batch locks, what it pays to whom, and what comes back. Rounded down unless said. */

import { divCeil, max, min } from "./bytes";
import { BPS, MICRO } from "./confidence";

/** The unit of bonds: 1e15 of the token's smallest unit. */
export const BOND_UNIT = 1_000_000_000_000_000n;
const UNITS_MAX = (1n << 40n) - 1n;

/** The prices of one batch, out of its deal's terms. */
export interface Prices {
  readonly tasks: number;
  readonly fuelLimit: bigint;
  readonly feePerMfuel: bigint;
  readonly appPrice: bigint;
  readonly datasetPrice: bigint;
  readonly replicasMax: number;
  readonly poolShareBps: number;
  readonly protocolFeeBps: number;
}

export interface Payouts {
  readonly paidSeats: number;
  readonly toEachWorker: bigint;
  readonly toPool: bigint;
  readonly toApp: bigint;
  readonly toDataset: bigint;
  readonly refund: bigint;
}

function assets(prices: Prices): bigint {
  return (prices.appPrice + prices.datasetPrice) * BigInt(prices.tasks);
}

/** The worst case of the batch, which the payer locks. */
export function lockOf(prices: Prices): bigint {
  const execution = divCeil(prices.fuelLimit * BigInt(prices.tasks) * prices.feePerMfuel, MICRO);
  return BigInt(prices.replicasMax) * execution + assets(prices);
}

/** One execution of the batch by its certified fuel, before the shares of pool and protocol. */
export function grossOf(prices: Pick<Prices, "feePerMfuel">, fuel: bigint): bigint {
  return (fuel * prices.feePerMfuel) / MICRO;
}

/** What the batch pays when `agreeing` seats agreed on `fuel`. */
export function payoutsOf(prices: Prices, agreeing: number, fuel: bigint): Payouts {
  const gross = grossOf(prices, fuel);
  const cuts = (gross * BigInt(prices.poolShareBps)) / BPS + (gross * BigInt(prices.protocolFeeBps)) / BPS;
  const paidSeats = Math.min(agreeing, prices.replicasMax);
  const refund = lockOf(prices) - gross * BigInt(paidSeats) - assets(prices);
  if (refund < 0n || cuts > gross) throw new RangeError("the batch would pay more than is locked");
  return {
    paidSeats,
    toEachWorker: gross - cuts,
    toPool: cuts * BigInt(paidSeats),
    toApp: prices.appPrice * BigInt(prices.tasks),
    toDataset: prices.datasetPrice * BigInt(prices.tasks),
    refund,
  };
}

/** What the payer locks for a whole deal: the sum over its batches. */
export function dealLock(prices: Prices, taskCount: number, batchSize: number): bigint {
  if (batchSize === 0) return 0n;
  const full = lockOf({ ...prices, tasks: batchSize }) * BigInt(Math.floor(taskCount / batchSize));
  const rest = taskCount % batchSize;
  return rest === 0 ? full : full + lockOf({ ...prices, tasks: rest });
}

function units(amount: bigint): bigint {
  return min(max(divCeil(amount, BOND_UNIT), 1n), UNITS_MAX);
}

/** What a dissenting or silent member loses, in bond units. */
export function slashUnits(gross: bigint): bigint {
  return units(2n * gross);
}

/** What each of `agreeing` members puts at risk until the certificate is final, in bond units. */
export function exposureUnits(gross: bigint, prices: bigint, collateralMin: bigint, agreeing: number): bigint {
  const members = BigInt(Math.max(1, agreeing));
  return units(max(2n * gross + divCeil(prices, members), divCeil(collateralMin, members)));
}

/** What an audit that agrees earns each contributor of wave 0. */
export function reputationPoints(protocolCut: bigint, step: number): number {
  return Number(min(protocolCut / BOND_UNIT, BigInt(step)));
}

/** How slashed stake is split once the window is over. */
export function escrowOf(
  slashed: bigint,
  extraExecutions: number,
  gross: bigint,
  winners: number,
): { burnt: bigint; toPayer: bigint; toEachWinner: bigint } {
  const burnt = divCeil(slashed, 5n);
  const rest = slashed - burnt;
  const extra = min(gross * BigInt(extraExecutions), rest);
  const toEachWinner = winners === 0 ? 0n : (rest - extra) / BigInt(winners);
  return { burnt, toPayer: rest - toEachWinner * BigInt(winners), toEachWinner };
}
