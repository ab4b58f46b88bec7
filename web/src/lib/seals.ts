/** What this browser's disputes have sealed: kept here from before the dispute is sent until it is shown, for who cannot show it loses its bond. */

import { big, type CaseKind, type ToldCase } from "../api/types";
import type { Hex } from "../protocol/bytes";
import { packFacts, packStakes, type Case } from "../protocol/cases";

export interface Sealed {
  readonly finding: Hex;
  readonly salt: Hex;
}

const key = (seal: Hex): string => `guildhall.seal.${seal}`;
const KINDS: readonly CaseKind[] = ["bonded", "staked", "audit", "expiry", "accusation"];

/** Fails where the browser keeps nothing: then there must be no dispute. */
export function keepSeal(seal: Hex, sealed: Sealed): void {
  localStorage.setItem(key(seal), JSON.stringify(sealed));
}

export function sealedBy(seal: Hex): Sealed | undefined {
  try {
    return (JSON.parse(localStorage.getItem(key(seal)) ?? "null") as Sealed | null) ?? undefined;
  } catch {
    return undefined;
  }
}

/** The record of a case as the contracts have it. A false one opens nothing: its hash is the case's id. */
export function recordOf({ deal, facts, stakes, opener, worker, seal, before }: ToldCase): Case {
  return {
    dealId: deal,
    facts: packFacts({
      ...facts,
      kind: KINDS.indexOf(facts.kind) + 1,
      window: big(facts.window),
      openedAt: big(facts.opened_at),
      openedBlock: big(facts.opened_block),
      verdictBefore: facts.verdict_before,
    }),
    stakes: packStakes({
      bond: big(stakes.bond),
      runtimeBond: big(stakes.runtime_bond),
      slash: big(stakes.slash),
      pool: stakes.pool,
    }),
    opener,
    worker,
    seal,
    before,
  };
}
