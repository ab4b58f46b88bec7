/** The lot: which workers have a seat in a round, and when its waves are. */

import { keccakWords, max, min, toBigint, type Hex } from "./bytes";

export const LAST_WAVE = 2;
export const LAST_ATTEMPT = 3;

/** The id of a round: one draw of the lot for one batch. */
export function roundId(deal: Hex, batch: number, attempt: number, seed: Hex): Hex {
  return keccakWords(deal, batch, attempt, seed);
}

/** A worker's ticket in a round. */
export function ticketOf(seed: Hex, round: Hex, worker: Hex): Hex {
  return keccakWords(seed, round, worker);
}

/** Seats that a lot draws on average in wave 0. */
export function wantOf(seatsNeeded: number, faultyShareBps: number): number {
  const needed = BigInt(seatsNeeded);
  const against = (needed * 5_000n) / max(5_000n - BigInt(faultyShareBps), 1n);
  return Number(min(64n, max((3n * needed + 1n) / 2n, against)));
}

/** Whether this ticket is a seat: `(ticket >> 64) < ((want * bond) << (192 + wave)) / poolBond`, exactly. */
export function hasSeat(ticket: Hex, want: number, bond: bigint, poolBond: bigint, wave: number): boolean {
  if (poolBond === 0n || wave > LAST_WAVE) return false;
  const drawn = toBigint(ticket) >> 64n;
  return drawn < ((BigInt(want) * bond) << BigInt(192 + wave)) / poolBond;
}

/** The first wave in which the ticket is a seat, if there is one. */
export function firstWave(ticket: Hex, want: number, bond: bigint, poolBond: bigint): number | undefined {
  return [0, 1, 2].find((wave) => hasSeat(ticket, want, bond, poolBond, wave));
}

/** When a wave is: from its first second to the first one after it. */
export function waveWindow(opened: bigint, patience: bigint, wave: number): { from: bigint; to: bigint } {
  const from = opened + patience * BigInt(wave);
  return { from, to: from + patience };
}
