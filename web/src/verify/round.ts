/** What the certification shows: the signatures, from the calldata of its transaction, and the odds, from its members. */

import { toBigint, type Hex } from "../protocol/bytes";
import type { Member } from "../protocol/certificate";
import { groupOf, oddsOf, opposingOf, weighingOf, weightOf } from "../protocol/confidence";
import { CLAIM, listHash, sortedList, type ListEntry } from "../protocol/list";
import { roundId } from "../protocol/lot";
import { certifierDomain, COMMITMENT, commitmentOf, CONTRIBUTION, UNAVAILABLE } from "../protocol/messages";
import { signerOf } from "../protocol/signatures";
import { digest } from "../protocol/struct";
import { policyOf, tasksOf, unpackOpened, unpackParameters } from "../protocol/terms";
import { ZERO_WORD } from "../protocol/bytes";
import { showOdds } from "../lib/format";
import { ChainError, reputationOf, selector } from "./chain";
import { readPosted, type Posted, type PostedEntry } from "./posted";
import type { Claimed, Ground, Outcome } from "./verify";

const SEED_UNAVAILABLE = selector("SeedUnavailable(uint256)");

const unknown = (why: string): Outcome => ({ state: "unknown", detail: `not checked: ${why}` });
const fails = (detail: string): Outcome => ({ state: "fails", detail });

/** The round that was certified; nothing when its seed is gone. */
async function roundOf({ terms, certificate }: Claimed, { chain, anchor, block }: Ground): Promise<Hex | undefined> {
  const { dealId, batch, attempt } = certificate;
  const word =
    attempt === 0
      ? terms.opened
      : await chain.number(anchor.certifier, "reopenedAt(bytes32,uint256)", [dealId, batch], block);
  const opened = unpackOpened(word);
  const seeds = await chain.address(anchor.certifier, "seeds()", block);
  try {
    const [seed] = await chain.call(seeds, "seedOf(uint256,uint256)", [opened.block, opened.time], block);
    return roundId(dealId, batch, attempt, seed!);
  } catch (error) {
    if (error instanceof ChainError && error.revert?.startsWith(SEED_UNAVAILABLE)) return undefined;
    throw error;
  }
}

/** What stands in the list for an entry: what it committed to. */
function committed(entry: PostedEntry, posted: Posted, round: Hex): Hex | undefined {
  const { worker, claim } = entry.word;
  if (claim === CLAIM.bare || claim === CLAIM.lost) return entry.proof;
  if (claim === CLAIM.unavailable) return ZERO_WORD;
  const made = posted.claims[claim];
  return made && commitmentOf(worker, round, made.root, made.fuel, entry.proof);
}

/** What an entry's signature is over. */
function signedDigest(
  entry: PostedEntry,
  line: ListEntry,
  posted: Posted,
  list: readonly ListEntry[],
  round: Hex,
  on: Ground,
): Hex {
  const domain = certifierDomain(on.anchor.chainId, on.anchor.certifier);
  const { claim, wave } = entry.word;
  if (claim === CLAIM.unavailable) return digest(domain, UNAVAILABLE, { roundId: round, wave });
  if (claim === CLAIM.bare || claim === CLAIM.lost) {
    return digest(domain, COMMITMENT, { roundId: round, wave, commitment: line.commitment });
  }
  const { root, fuel } = posted.claims[claim]!;
  return digest(domain, CONTRIBUTION, { roundId: round, wave, root, fuel, listHash: listHash(list, wave) });
}

/** Whether the members that are shown are those of the list that was posted, in its order. */
function sameMembers(members: readonly Member[], posted: Posted): boolean {
  return posted.entries.every(({ word }, at) => members[at]?.worker === word.worker && members[at].wave === word.wave);
}

/** Every entry's signature is its worker's, over the very list that they stand in. */
export async function signatures(claimed: Claimed, on: Ground): Promise<Outcome> {
  const { certificate } = claimed;
  const transaction = await on.chain.transaction(claimed.transaction);
  if (!transaction) return unknown(`the node does not have transaction ${claimed.transaction}`);
  const posted = readPosted(transaction.input, certificate.dealId, certificate.batch);
  if (!posted) {
    if (transaction.to === on.anchor.certifier.toLowerCase())
      return fails("the transaction does not certify this batch");
    return unknown("another contract certified, its calldata is not ours to read");
  }
  const leading = posted.claims[0];
  if (leading?.root !== certificate.root || leading.fuel !== certificate.fuel) {
    return fails("the transaction certified another root than the certificate says");
  }
  if (!sameMembers(claimed.members, posted))
    return fails("the contributors that are shown are not those of the posted list");
  const round = await roundOf(claimed, on);
  if (!round) return unknown("the chain does not hold the seed of the draw any more");
  const lines: ListEntry[] = [];
  for (const entry of posted.entries) {
    const commitment = committed(entry, posted, round);
    if (!commitment) return fails(`${entry.word.worker} is listed with claim ${entry.word.claim}, which is not there`);
    lines.push({ wave: entry.word.wave, worker: entry.word.worker, commitment });
  }
  const list = sortedList(lines);
  for (const [at, entry] of posted.entries.entries()) {
    if (entry.word.onChain) continue; // Its contribution stands on chain, where the contract checked it.
    const signer = await signerOf(signedDigest(entry, lines[at]!, posted, list, round, on), entry.signature);
    if (signer !== entry.word.worker)
      return fails(`the signature of ${entry.word.worker} is not over this round, claim and list`);
  }
  const agreeing = posted.entries.filter((entry) => entry.word.claim === CLAIM.leading).length;
  return {
    state: "holds",
    detail: `${agreeing} workers signed the certified root, over one list of ${posted.entries.length}`,
  };
}

/** What a member claimed when the certificate was made: who showed its claim later was silent then. */
function claimThen(member: Member, posted: Posted | undefined): number {
  if (member.claim !== CLAIM.shownAgreeing && member.claim !== CLAIM.shownRival) return member.claim;
  return posted?.entries.find((entry) => entry.word.worker === member.worker)?.word.claim ?? CLAIM.bare;
}

/** The odds, from the members' weights, listed and on chain alike. Who was left out has none. */
export async function recomputedOdds(claimed: Claimed, on: Ground): Promise<Outcome> {
  const { terms, certificate, members } = claimed;
  const { chain, market, anchor, block } = on;
  const policy = policyOf(terms);
  const [, word] = await chain.call(
    market,
    "deal(bytes32,uint256)",
    [ZERO_WORD, unpackOpened(terms.opened).parameters],
    block,
  );
  const { reputationStep } = unpackParameters(toBigint(word!)).parameters;
  const transaction = await chain.transaction(claimed.transaction);
  const posted = transaction && readPosted(transaction.input, certificate.dealId, certificate.batch);
  const weighing = weighingOf(policy, reputationStep, tasksOf(terms, certificate.batch)!);
  const groups = new Map<number, bigint[]>();
  const silent: bigint[] = [];
  for (const member of members) {
    const claim = claimThen(member, posted);
    if (claim === CLAIM.ignored || claim === CLAIM.ignoredBare) continue;
    let reputation = 0;
    if (policy.countReputation && claim !== CLAIM.lost) {
      if (!transaction) return unknown(`the node does not have transaction ${claimed.transaction}`);
      try {
        const workforce = await chain.address(anchor.certifier, "workforce()", block);
        reputation = reputationOf(
          await chain.number(workforce, "workerOf(address)", [member.worker], transaction.block - 1n),
        );
      } catch {
        return unknown("the node does not keep the reputations of that block any more");
      }
    }
    const weight = weightOf(weighing, reputation, member.wave);
    if (claim === CLAIM.bare || claim === CLAIM.lost || claim === CLAIM.unavailable) silent.push(weight);
    else groups.set(claim, [...(groups.get(claim) ?? []), weight]);
  }
  const leading = groupOf(groups.get(CLAIM.leading) ?? []);
  groups.delete(CLAIM.leading);
  const computed = oddsOf(leading, opposingOf([...groups.values()].map(groupOf), silent));
  if (computed !== certificate.odds) {
    return fails(`the weights give ${showOdds(computed)}, the certificate says ${showOdds(certificate.odds)}`);
  }
  return { state: "holds", detail: `${showOdds(computed)} follow from the members' weights` };
}
