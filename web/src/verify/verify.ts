/**
 * Checks a result from the outside, step by step, as `guildhall result verify` does: two words read from the chain, and
 * from there every hash down to the output's bytes; then the contributors' signatures and the odds.
 *
 * Nothing of what the gateway says is believed. What it claims is what is checked.
 */

import { sameHex, type Hex } from "../protocol/bytes";
import {
  certificateHash,
  membersHash,
  packMember,
  roster,
  slotHolds,
  slotStatus,
  type Certificate,
  type Claim,
  type Member,
} from "../protocol/certificate";
import { targetOf } from "../protocol/confidence";
import { proveOne, proves, type Receipt } from "../protocol/receipts";
import { caseTermsOf, deliveryHash, locate, policyOf, tasksOf, termsHash, type Terms } from "../protocol/terms";
import { outputDigest } from "./bundle";
import { Chain, ChainError, type Provider } from "./chain";
import { recomputedOdds, signatures } from "./round";
import { showOdds } from "../lib/format";

/** The steps in their order. */
export const STEPS = [
  "chain",
  "terms",
  "certificate",
  "deal",
  "status",
  "policy",
  "members",
  "receipt",
  "output",
  "signatures",
  "odds",
] as const;
export type Step = (typeof STEPS)[number];

/** What each step shows when it holds, in words for a reader. */
export const SHOWS: Record<Step, string> = {
  chain: "The chain answers for itself",
  terms: "The terms are those that the Market holds",
  certificate: "The certificate is the one that the chain holds",
  deal: "The certificate is of this deal, its pool and its policy",
  status: "The certificate stands",
  policy: "Odds, operators and stake meet the policy",
  members: "The contributors are those that were certified",
  receipt: "The receipt stands at its place under the certified root",
  output: "The output is the one that the receipt names",
  signatures: "Every contributor signed this root, over one list",
  odds: "The odds follow from the contributors' weights",
};

/** `unknown`: could not be checked here; `skipped`: a step before it failed. */
export type State = "holds" | "fails" | "unknown" | "skipped";

export interface Check {
  readonly step: Step;
  readonly state: State;
  /** What was found. */
  readonly detail: string;
}

/** What somebody claims of a result. */
export interface Claimed {
  readonly task: number;
  readonly terms: Terms;
  readonly certificate: Certificate;
  readonly members: readonly Member[];
  readonly rivals: readonly Claim[];
  readonly trail: bigint;
  /** The transaction that certified. */
  readonly transaction: Hex;
  /** All receipts of the batch, in the tasks' order. */
  readonly receipts: readonly Receipt[];
  readonly output: Uint8Array;
}

/** Which chain and contract the reader believes in. */
export interface Anchor {
  readonly chainId: bigint;
  readonly certifier: Hex;
}

/** What the steps after the first one read at. */
export interface Ground {
  readonly chain: Chain;
  readonly anchor: Anchor;
  readonly market: Hex;
  readonly block: bigint;
  readonly time: bigint;
}

const holds = (detail: string): Outcome => ({ state: "holds", detail });
const fails = (detail: string): Outcome => ({ state: "fails", detail });
export type Outcome = Omit<Check, "step">;

async function ground(chain: Chain, anchor: Anchor): Promise<Ground> {
  const chainId = await chain.chainId();
  if (chainId !== anchor.chainId) {
    throw new ChainError(`it answers for chain ${chainId}, but the deal is on chain ${anchor.chainId}`);
  }
  const head = await chain.head();
  const market = await chain.address(anchor.certifier, "market()", head.number);
  return { chain, anchor, market, block: head.number, time: head.time };
}

function checkDeal({ terms, certificate }: Claimed): Outcome {
  const differs = (field: string): Outcome =>
    fails(`the certificate's ${field} is not the deal's: it certifies something else`);
  if (certificate.dealId !== terms.dealId) return differs("deal");
  if (certificate.delivery !== deliveryHash(terms)) return differs("delivery");
  if (certificate.policy !== terms.policy) return differs("policy");
  if (tasksOf(terms, certificate.batch) === undefined) return differs("batch");
  return holds(`batch ${certificate.batch} of deal ${terms.dealId}, pool ${terms.pool}`);
}

function checkPolicy({ terms, certificate }: Claimed): Outcome {
  const policy = policyOf(terms);
  const target = targetOf(policy.confidence, certificate.attempt);
  const short = (field: string, got: unknown, wanted: unknown): Outcome =>
    fails(`${field}: ${got}, but the policy asks for ${wanted}`);
  if (certificate.odds < target) return short("odds", showOdds(certificate.odds), showOdds(target));
  if (certificate.seats < policy.replicasMin) return short("operators", certificate.seats, policy.replicasMin);
  if (certificate.stake < policy.collateralMin) return short("stake", certificate.stake, policy.collateralMin);
  if ((certificate.evidence & policy.evidence) !== policy.evidence)
    return short("evidence", certificate.evidence, policy.evidence);
  return holds(
    `${showOdds(certificate.odds)} reached, ${showOdds(target)} asked; ${certificate.seats} operators agree`,
  );
}

async function checkStatus({ certificate }: Claimed, slot: bigint, time: bigint): Promise<Outcome> {
  const status = slotStatus(slot);
  if (status !== "provisional" && status !== "final") return fails(`the batch is ${status ?? "of no status"}`);
  const isFinal = status === "final" || time >= certificate.finalAt;
  return holds(isFinal ? "it is final" : "it is provisional: its dispute window is open");
}

function checkMembers({ terms, certificate, members, rivals, trail }: Claimed): Outcome {
  const caseTerms = caseTermsOf(terms, certificate.batch);
  if (caseTerms === undefined) return fails(`the deal has no batch ${certificate.batch}`);
  const hash = membersHash(roster(members.map(packMember), rivals, trail), caseTerms);
  if (hash !== certificate.members)
    return fails(`the contributors that are shown hash to ${hash}, the certificate has ${certificate.members}`);
  const agreeing = members.filter((member) => member.claim === 0).length;
  return holds(`${members.length} members, ${agreeing} of them agree`);
}

function checkReceipt({ task, terms, certificate, receipts }: Claimed): Outcome {
  const place = locate(terms, task);
  const tasks = tasksOf(terms, certificate.batch);
  if (!place || place.batch !== certificate.batch || receipts.length !== tasks) {
    return fails(`${receipts.length} receipts are not those of the batch of task ${task}`);
  }
  const proof = proveOne(receipts, place.index);
  if (!proves(proof, certificate.root, tasks)) {
    return fails(`the receipt of index ${place.index} does not stand under root ${certificate.root}`);
  }
  return holds(`index ${place.index} of ${tasks}, by a proof of ${proof.proof.length} words`);
}

function checkOutput({ task, terms, receipts, output }: Claimed): Outcome {
  const receipt = receipts[locate(terms, task)?.index ?? -1];
  const digest = outputDigest(output);
  if (!receipt || digest !== receipt.outputDigest)
    return fails(`the output's digest is ${digest}, the receipt names ${receipt?.outputDigest}`);
  return holds(`${output.length} bytes, digest ${digest}`);
}

/** Runs a step; a node that does not answer is no proof of anything. */
async function attempt(run: () => Outcome | Promise<Outcome>): Promise<Outcome> {
  try {
    return await run();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return error instanceof ChainError ? { state: "unknown", detail: `not checked: ${said}` } : fails(said);
  }
}

/** The steps after the first one, each with what it needs. */
function plan(claimed: Claimed, on: Ground): readonly [Step, () => Outcome | Promise<Outcome>][] {
  const { chain, anchor, market, block, time } = on;
  const { terms, certificate } = claimed;
  const readSlot = (): Promise<bigint> =>
    chain.number(anchor.certifier, "batchWord(bytes32,uint256)", [certificate.dealId, certificate.batch], block);
  return [
    [
      "terms",
      async () => {
        const [held] = await chain.call(market, "termsHash(bytes32)", [terms.dealId], block);
        const hash = termsHash(terms);
        return sameHex(hash, held!)
          ? holds(`both hash to ${hash}`)
          : fails(`the terms hash to ${hash}, the chain holds ${held}`);
      },
    ],
    [
      "certificate",
      async () => {
        const hash = certificateHash(certificate);
        return slotHolds(await readSlot(), certificate)
          ? holds(`its hash ${hash} fills the batch's slot`)
          : fails(`certificate ${hash} is not the one in the batch's slot`);
      },
    ],
    ["deal", () => checkDeal(claimed)],
    ["status", async () => checkStatus(claimed, await readSlot(), time)],
    ["policy", () => checkPolicy(claimed)],
    ["members", () => checkMembers(claimed)],
    ["receipt", () => checkReceipt(claimed)],
    ["output", () => checkOutput(claimed)],
    ["signatures", () => signatures(claimed, on)],
    ["odds", () => recomputedOdds(claimed, on)],
  ];
}

/** Checks a result and tells of each step as it is done. After a step that fails the others would show nothing. */
export async function* verify(claimed: Claimed, provider: Provider, anchor: Anchor): AsyncGenerator<Check> {
  const chain = new Chain(provider);
  let on: Ground;
  try {
    on = await ground(chain, anchor);
    yield { step: "chain", ...holds(`chain ${anchor.chainId}, block ${on.block}, Certifier ${anchor.certifier}`) };
  } catch (error) {
    yield { step: "chain", ...fails(error instanceof Error ? error.message : String(error)) };
    for (const step of STEPS.slice(1)) yield { step, state: "skipped", detail: "not reached" };
    return;
  }
  let failed = false;
  for (const [step, run] of plan(claimed, on)) {
    if (failed) {
      yield { step, state: "skipped", detail: "not reached" };
      continue;
    }
    const outcome = await attempt(run);
    failed = outcome.state === "fails";
    yield { step, ...outcome };
  }
}

/** What all steps together say. */
export function verdict(checks: readonly Check[]): "holds" | "fails" | "partly" | "running" {
  if (checks.some((check) => check.state === "fails")) return "fails";
  if (checks.length < STEPS.length) return "running";
  return checks.some((check) => check.state !== "holds") ? "partly" : "holds";
}
