/**
 * A small city that never was, with true hashes and signatures: what the tests verify, and what the recorded answers of the
 * screenshots come from. Everything follows from fixed keys, so that it is the same every time.
 */

import { privateKeyToAccount, sign } from "viem/accounts";

import { concat, fromHex, keccak, padded, toBigint, toHex, word, wordHex, type Hex } from "../src/protocol/bytes";
import {
  certificateHash,
  membersHash,
  packMember,
  roster,
  type Certificate,
  type Member,
} from "../src/protocol/certificate";
import { groupOf, oddsOf, opposingOf, targetOf, weighingOf, weightOf } from "../src/protocol/confidence";
import { listHash, packEntry, sortedList, slotPart } from "../src/protocol/list";
import { roundId } from "../src/protocol/lot";
import { certifierDomain, commitmentOf, CONTRIBUTION } from "../src/protocol/messages";
import { DEFAULT_POLICY, packPolicy, type Policy } from "../src/protocol/orders";
import { exposureUnits, grossOf, slashUnits } from "../src/protocol/payouts";
import { encodeManifest, inputOf, manifestId } from "../src/protocol/manifest";
import { leafOf, rootOf, type Receipt } from "../src/protocol/receipts";
import { digest, encode } from "../src/protocol/struct";
import {
  caseTermsOf,
  deliveryHash,
  packOpened,
  packParameters,
  TERMS,
  tasksOf,
  termsHash,
  type Terms,
} from "../src/protocol/terms";
import { selector, type Provider } from "../src/verify/chain";
import { CERTIFY } from "../src/verify/posted";
import type { Anchor, Claimed } from "../src/verify/verify";

export const CHAIN_ID = 31337n;
export const START = 1_795_600_000;
const utf8 = new TextEncoder();

/** A digest of a text: stands for whatever has no meaning of its own here. */
export function named(text: string): Hex {
  return keccak(utf8.encode(text));
}

export function addressNamed(text: string): Hex {
  return `0x${named(text).slice(-40)}`;
}

export const CONTRACTS = {
  token: addressNamed("token"),
  vault: addressNamed("vault"),
  registry: addressNamed("registry"),
  workforce: addressNamed("workforce"),
  market: addressNamed("market"),
  certifier: addressNamed("certifier"),
  recourse: addressNamed("recourse"),
  court: addressNamed("court"),
  jury: addressNamed("jury"),
  inquest: addressNamed("inquest"),
  seeds: addressNamed("seeds"),
};
export const ANCHOR: Anchor = { chainId: CHAIN_ID, certifier: CONTRACTS.certifier };

export interface Hand {
  readonly key: Hex;
  readonly address: Hex;
  readonly reputation: number;
}

/** Keys of the city's workers, sorted by address as lists are. */
export const WORKERS: readonly Hand[] = Array.from({ length: 9 }, (_, at) => {
  const key = named(`worker ${at}`);
  return {
    key,
    address: privateKeyToAccount(key).address.toLowerCase() as Hex,
    reputation: [0, 120, 400, 80, 950, 0, 260, 31, 610][at]!,
  };
}).sort((a, b) => (toBigint(a.address) < toBigint(b.address) ? -1 : 1));

const PARAMETERS = {
  patienceBaseSecs: 30,
  fuelPerSec: 500_000_000n,
  reputationStep: 100,
  protocolFeeBps: 100,
  expireGraceSecs: 600,
  posterGraceSecs: 120,
  disputeWindowMinSecs: 10,
};

export interface Plan {
  readonly name: string;
  readonly app: bigint;
  readonly dataset: bigint;
  readonly outputs: readonly Uint8Array[];
  readonly batchSize: number;
  readonly openedBefore: number;
  readonly policy?: Partial<Policy>;
  /** Positions of the workers who contribute, and of one who dissents. */
  readonly agree: readonly number[];
  readonly dissents?: number;
}

/** What the tasks of a plan are given, one text each. */
export function inputsOf(plan: Plan): Uint8Array<ArrayBuffer>[] {
  return plan.outputs.map((_, at) => utf8.encode(`${plan.name}, input ${at}`));
}

export function manifestFor(plan: Plan): Uint8Array<ArrayBuffer> {
  return encodeManifest({ args: ["app"], env: [], tasks: inputsOf(plan).map(inputOf) });
}

export function makeTerms(plan: Plan): Terms {
  const opened = packOpened({
    block: 100n + BigInt(plan.agree[0]!),
    time: BigInt(START - plan.openedBefore),
    poolBond: 9_000n,
    parameters: 1,
    runtime: 1,
    poolShareBps: 1_000,
    protocolFeeBps: 100,
    reputationStep: 100,
    patience: 31n,
  });
  return {
    dealId: named(`deal ${plan.name}`),
    requester: addressNamed("requester"),
    payer: addressNamed("requester"),
    beneficiary: addressNamed("requester"),
    app: plan.app,
    appOwner: addressNamed("author"),
    appPrice: 2_000_000_000_000_000n,
    dataset: plan.dataset,
    datasetOwner: plan.dataset === 0n ? `0x${"0".repeat(40)}` : addressNamed("author"),
    datasetPrice: plan.dataset === 0n ? 0n : 1_000_000_000_000_000n,
    pool: 1,
    feePerMfuel: 40_000_000_000_000n,
    minimumFee: 0n,
    deliveryTip: 0n,
    callback: `0x${"0".repeat(40)}`,
    callbackGas: 0,
    inputs: manifestId(manifestFor(plan)),
    taskCount: plan.outputs.length,
    batchSize: plan.batchSize,
    fuelLimit: 4_000_000_000n,
    memoryLimit: 268_435_456n,
    deadline: BigInt(START + 3_600),
    policy: packPolicy({ ...DEFAULT_POLICY, countReputation: true, ...plan.policy }),
    opened,
  };
}

export interface CertifiedBatch {
  readonly terms: Terms;
  readonly certificate: Certificate;
  readonly members: readonly Member[];
  readonly rivals: readonly { root: Hex; fuel: bigint }[];
  readonly trail: bigint;
  readonly receipts: readonly Receipt[];
  readonly outputs: readonly Uint8Array[];
  readonly seed: Hex;
  readonly transaction: Hex;
  readonly calldata: Hex;
  readonly block: bigint;
}

function makeReceipts(outputs: readonly Uint8Array[], plan: Plan, lie: boolean): Receipt[] {
  return outputs.map((output, index) => ({
    index,
    exit: 0,
    fuel: 812_345_678n + BigInt(index * 4_321),
    outputDigest: keccak(lie ? concat([output, Uint8Array.of(1)]) : output),
    traceDigest: named(`trace ${plan.name} ${index} ${lie}`),
  }));
}

function claimOf(receipts: readonly Receipt[]): { root: Hex; fuel: bigint } {
  let fuel = 0n;
  const leaves = receipts.map((receipt) => leafOf(receipt, (fuel += receipt.fuel)));
  return { root: rootOf(leaves), fuel };
}

/** Certifies a batch as a coordinator would: list, signatures, odds, calldata. */
export async function certify(plan: Plan, batch: number, policy: Policy): Promise<CertifiedBatch> {
  const terms = makeTerms(plan);
  const from = batch * terms.batchSize;
  const outputs = plan.outputs.slice(from, from + tasksOf(terms, batch)!);
  const seed = named(`seed ${plan.name}`);
  const round = roundId(terms.dealId, batch, 0, seed);
  const receipts = makeReceipts(outputs, plan, false);
  const claims = [
    claimOf(receipts),
    ...(plan.dissents === undefined ? [] : [claimOf(makeReceipts(outputs, plan, true))]),
  ];
  const hands = WORKERS.filter((_, at) => plan.agree.includes(at) || plan.dissents === at);
  const claimed = (hand: Hand): number => (plan.dissents !== undefined && hand === WORKERS[plan.dissents] ? 1 : 0);
  const proof = (hand: Hand): Hex => named(`own trace ${hand.address} ${round}`);
  const list = sortedList(
    hands.map((hand) => {
      const claim = claims[claimed(hand)]!;
      return {
        wave: 0,
        worker: hand.address,
        commitment: commitmentOf(hand.address, round, claim.root, claim.fuel, proof(hand)),
      };
    }),
  );
  const entries: Hex[] = [];
  for (const hand of hands) {
    const { root, fuel } = claims[claimed(hand)]!;
    const message = { roundId: round, wave: 0, root, fuel, listHash: listHash(list, 0) };
    const signature = await sign({
      hash: digest(certifierDomain(CHAIN_ID, CONTRACTS.certifier), CONTRIBUTION, message),
      privateKey: hand.key,
    });
    const vs = wordHex(toBigint(signature.s) | (BigInt(signature.yParity!) << 255n));
    const entry = packEntry({ worker: hand.address, claim: claimed(hand), wave: 0, onChain: false });
    entries.push(wordHex(entry), proof(hand), wordHex(toBigint(signature.r)), vs);
  }
  return finish({ plan, batch, policy, terms, receipts, outputs, seed, claims, hands, claimed, entries });
}

interface Draft {
  plan: Plan;
  batch: number;
  policy: Policy;
  terms: Terms;
  receipts: Receipt[];
  outputs: Uint8Array[];
  seed: Hex;
  claims: { root: Hex; fuel: bigint }[];
  hands: readonly Hand[];
  claimed: (hand: Hand) => number;
  entries: Hex[];
}

function finish(draft: Draft): CertifiedBatch {
  const { plan, batch, policy, terms, claims, hands, claimed } = draft;
  const leading = claims[0]!;
  const gross = grossOf(terms, leading.fuel);
  const agreeing = hands.filter((hand) => claimed(hand) === 0);
  const prices = (terms.appPrice + terms.datasetPrice) * BigInt(tasksOf(terms, batch)!);
  const members = hands.map((hand) => ({
    worker: hand.address,
    claim: claimed(hand),
    wave: 0,
    slash: claimed(hand) === 0 ? 0n : slashUnits(gross),
    exposure: claimed(hand) === 0 ? exposureUnits(gross, prices, policy.collateralMin, agreeing.length) : 0n,
  }));
  const weighing = weighingOf(policy, PARAMETERS.reputationStep, tasksOf(terms, batch)!);
  const weight = (hand: Hand): bigint => weightOf(weighing, hand.reputation, 0);
  const against = hands.filter((hand) => claimed(hand) === 1).map((hand) => groupOf([weight(hand)]));
  const odds = oddsOf(groupOf(agreeing.map(weight)), opposingOf(against, []));
  if (odds < targetOf(policy.confidence, 0)) throw new Error(`${plan.name} reaches ${odds} only`);
  const block = 140n + BigInt(batch);
  const certifiedAt = BigInt(START - plan.openedBefore + 9 + 2 * batch);
  const rivals = claims.slice(1);
  const certificate: Certificate = {
    dealId: terms.dealId,
    batch,
    attempt: 0,
    root: leading.root,
    fuel: leading.fuel,
    odds,
    stake: members.reduce((sum, member) => sum + member.exposure * 1_000_000_000_000_000n, 0n),
    seats: agreeing.length,
    evidence: 0,
    seedKind: 1,
    delivery: deliveryHash(terms),
    policy: terms.policy,
    certifiedAt,
    finalAt: certifiedAt + BigInt(policy.disputeWindow),
    members: membersHash(roster(members.map(packMember), rivals, block), caseTermsOf(terms, batch)!),
  };
  return {
    terms,
    certificate,
    members,
    rivals,
    trail: block,
    receipts: draft.receipts,
    outputs: draft.outputs,
    seed: draft.seed,
    transaction: named(`certified ${plan.name} ${batch}`),
    calldata: calldataOf(terms, batch, claims, draft.entries),
    block,
  };
}

function calldataOf(
  terms: Terms,
  batch: number,
  claims: readonly { root: Hex; fuel: bigint }[],
  entries: readonly Hex[],
): Hex {
  const head = TERMS.fields.length + 4;
  const claimWords = [word(claims.length), ...claims.flatMap((claim) => [padded(claim.root), word(claim.fuel)])];
  const entryWords = [word(entries.length / 4), ...entries.map(padded)];
  const offsets = [head, head + claimWords.length, head + claimWords.length + entryWords.length].map((at) =>
    word(32 * at),
  );
  const body = [encode(TERMS, terms), word(batch), ...offsets, ...claimWords, ...entryWords, word(0)];
  return toHex(concat([fromHex(selector(CERTIFY)), ...body]));
}

/** A chain that holds these certificates, and answers as a node does. */
export class FakeChain implements Provider {
  chainId = CHAIN_ID;
  /** Whether the seeds of old draws are gone. */
  forgotSeeds = false;
  time = START;

  constructor(readonly certified: readonly CertifiedBatch[]) {}

  async request({ method, params }: { method: string; params?: unknown }): Promise<unknown> {
    const given = (params ?? []) as unknown[];
    if (method === "eth_chainId") return `0x${this.chainId.toString(16)}`;
    if (method === "eth_blockNumber") return "0x200";
    if (method === "eth_getBlockByNumber") return { number: "0x200", timestamp: `0x${this.time.toString(16)}` };
    if (method === "eth_getTransactionByHash") return this.transaction(given[0] as Hex);
    if (method === "eth_call") return this.call(given[0] as { to: Hex; data: Hex });
    throw { message: `no ${method} here` };
  }

  private transaction(hash: Hex): unknown {
    const found = this.certified.find((batch) => batch.transaction === hash);
    return found
      ? { blockNumber: `0x${found.block.toString(16)}`, input: found.calldata, to: CONTRACTS.certifier }
      : null;
  }

  private call({ to, data }: { to: Hex; data: Hex }): Hex {
    const [kind, args] = [data.slice(0, 10), fromHex(`0x${data.slice(10)}`)];
    const arg = (at: number): Hex => toHex(args.subarray(32 * at, 32 * at + 32));
    const of = this.certified.filter((batch) => batch.terms.dealId === arg(0));
    const answers: Record<string, () => Hex> = {
      [selector("market()")]: () => toHex(padded(CONTRACTS.market)),
      [selector("workforce()")]: () => toHex(padded(CONTRACTS.workforce)),
      [selector("seeds()")]: () => toHex(padded(CONTRACTS.seeds)),
      [selector("termsHash(bytes32)")]: () => (of[0] ? termsHash(of[0].terms) : wordHex(0)),
      [selector("batchWord(bytes32,uint256)")]: () => {
        const batch = of.find((one) => BigInt(one.certificate.batch) === toBigint(arg(1)));
        return batch ? wordHex(slotPart(certificateHash(batch.certificate)) | 1n) : wordHex(0);
      },
      [selector("deal(bytes32,uint256)")]: () => toHex(concat([word(0), word(packParameters(1, PARAMETERS))])),
      [selector("workerOf(address)")]: () => {
        const hand = WORKERS.find((one) => toHex(padded(one.address)) === arg(0));
        return wordHex(hand ? (BigInt(hand.reputation) << 88n) | 1n : 0n);
      },
      [selector("seedOf(uint256,uint256)")]: () => {
        if (this.forgotSeeds)
          throw { message: "reverted", data: selector("SeedUnavailable(uint256)") + "0".repeat(64) };
        const block = this.certified.find((one) => (one.terms.opened & ((1n << 40n) - 1n)) === toBigint(arg(0)));
        return toHex(concat([padded(block!.seed), word(1)]));
      },
    };
    const answer = answers[kind];
    if (!answer || !(Object.values(CONTRACTS) as Hex[]).includes(to)) throw { message: "execution reverted" };
    return answer();
  }
}

/** What a gateway that tells the truth claims of a task. */
export function claimedOf(batch: CertifiedBatch, task: number): Claimed {
  const output = batch.outputs[task - batch.certificate.batch * batch.terms.batchSize]!;
  return { task, ...batch, output };
}
