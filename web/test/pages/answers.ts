/** Recorded answers: what a gateway would say of the small city of `world.ts`. */

import { CERTIFICATE } from "../../src/protocol/certificate";
import { targetOf } from "../../src/protocol/confidence";
import { contentId } from "../../src/protocol/content";
import { DEFAULT_POLICY, POLICY, unpackPolicy, type Policy } from "../../src/protocol/orders";
import { roundId } from "../../src/protocol/lot";
import { payoutsOf } from "../../src/protocol/payouts";
import { toJson } from "../../src/protocol/struct";
import { TERMS, tasksOf, unpackOpened, type Terms } from "../../src/protocol/terms";
import { writeBundle } from "../../src/verify/bundle";
import {
  addressNamed,
  certify,
  CHAIN_ID,
  CONTRACTS,
  inputsOf,
  makeTerms,
  manifestFor,
  named,
  START,
  WORKERS,
  type CertifiedBatch,
  type Plan,
} from "../world";

const text = new TextEncoder();
const bytes = (value: string): Uint8Array<ArrayBuffer> => text.encode(value);
const POLICY_USED: Policy = { ...DEFAULT_POLICY, countReputation: true, disputeWindow: 3_600 };

const WORDS = ["lines 1, words 5, distinct 3, bytes 25, mean length 4.000\n     2 guild\n     2 the\n     1 pays\n"];
export const PLANS: readonly Plan[] = [
  {
    name: "photographs",
    app: 1n,
    dataset: 3n,
    outputs: [0.000149, 0.0213, 0.913, 0.0007].map((score) => bytes(`{"score":${score}}`)),
    batchSize: 4,
    openedBefore: 420,
    agree: [1, 2, 4, 6],
    dissents: 8,
  },
  {
    name: "words",
    app: 2n,
    dataset: 0n,
    outputs: WORDS.map(bytes),
    batchSize: 1,
    openedBefore: 2_400,
    agree: [2, 4, 8],
  },
  {
    name: "table",
    app: 2n,
    dataset: 0n,
    outputs: [bytes("station\ttemperature\nharbour\t11.2\nmarket\t12.9\n")],
    batchSize: 1,
    openedBefore: 5_300,
    agree: [1, 3, 4, 7],
  },
  {
    name: "many",
    app: 2n,
    dataset: 0n,
    outputs: Array.from({ length: 48 }, (_, at) => bytes(`line ${at}`)),
    batchSize: 16,
    openedBefore: 9_800,
    agree: [0, 2, 4, 6, 8],
  },
];
/** A deal whose round is under way. */
const RUNNING: Plan = { ...PLANS[0]!, name: "running", openedBefore: 14 };

export interface City {
  readonly certified: readonly CertifiedBatch[];
  readonly running: Terms;
  answer(path: string, query: URLSearchParams): unknown;
  blob(id: string): Uint8Array | undefined;
  bundle(deal: string, batch: number): Uint8Array | undefined;
}

const seen = (batch: CertifiedBatch): object => ({ block: String(batch.block), transaction: batch.transaction });

function certificateRow(batch: CertifiedBatch): object {
  const { terms, certificate } = batch;
  const policy = unpackPolicy(terms.policy);
  const tasks = tasksOf(terms, certificate.batch)!;
  const opened = unpackOpened(terms.opened);
  const prices = {
    ...terms,
    tasks,
    replicasMax: policy.replicasMax,
    poolShareBps: opened.poolShareBps,
    protocolFeeBps: opened.protocolFeeBps,
  };
  const paid = payoutsOf(prices, certificate.seats, certificate.fuel);
  return {
    deal: terms.dealId,
    batch: certificate.batch,
    attempt: 0,
    pool: terms.pool,
    tasks,
    target: targetOf(policy.confidence, 0).toString(),
    odds: certificate.odds.toString(),
    certificate: toJson(CERTIFICATE, certificate),
    trail: batch.trail.toString(),
    members: batch.members.map((member) => ({
      ...member,
      slash: member.slash.toString(),
      exposure: member.exposure.toString(),
      earned: member.claim === 0 ? paid.toEachWorker.toString() : "0",
    })),
    rivals: batch.rivals.map((rival) => ({ ...rival, fuel: rival.fuel.toString() })),
    overturned: false,
    at: seen(batch),
  };
}

function batchShown(batch: CertifiedBatch): object {
  const final = START >= Number(batch.certificate.finalAt);
  const slashes = batch.members.filter((member) => member.slash > 0n);
  return {
    deal: batch.terms.dealId,
    batch: batch.certificate.batch,
    tasks: tasksOf(batch.terms, batch.certificate.batch),
    status: final ? "final" : "provisional",
    final_at: batch.certificate.finalAt.toString(),
    attempt: 0,
    committed: [],
    revealed: [],
    contradicted: [],
    slashes: slashes.map((member) => ({
      worker: member.worker,
      units: member.slash.toString(),
      by_verdict: false,
      at: seen(batch),
    })),
    escrow: null,
    refund: null,
    cases: [],
    at: seen(batch),
  };
}

function untouched(terms: Terms, batch: number): object {
  const base = { deal: terms.dealId, batch, tasks: tasksOf(terms, batch), status: "open", final_at: null, attempt: 0 };
  return {
    ...base,
    committed: [],
    revealed: [],
    contradicted: [],
    slashes: [],
    escrow: null,
    refund: null,
    cases: [],
    at: null,
  };
}

function dealShown(terms: Terms, batches: readonly CertifiedBatch[]): object {
  const all = Math.ceil(terms.taskCount / terms.batchSize);
  const paid =
    batches.reduce(
      (sum, batch) => sum + batch.certificate.fuel * terms.feePerMfuel * BigInt(batch.certificate.seats),
      0n,
    ) / 1_000_000n;
  const opened = unpackOpened(terms.opened);
  return {
    id: terms.dealId,
    at: { block: opened.block.toString(), transaction: named(`opened ${terms.dealId}`) },
    terms: toJson(TERMS, terms),
    policy: toJson(POLICY, unpackPolicy(terms.policy)),
    opened: { block: opened.block.toString(), time: opened.time.toString(), patience: "31" },
    status: batches.length === all ? "certified" : "open",
    batches: { all, open: all - batches.length, certified: batches.length, void: 0, expired: 0 },
    tasks_certified: batches.reduce((sum, batch) => sum + tasksOf(terms, batch.certificate.batch)!, 0),
    locked: 5_120_000_000_000_000_000n.toString(),
    paid: paid.toString(),
    refunded:
      batches.length === 0
        ? "0"
        : (5_120_000_000_000_000_000n - paid > 0n ? 5_120_000_000_000_000_000n - paid : 0n).toString(),
    delivered: 0,
    tips: "0",
  };
}

function eventsOf(terms: Terms, batches: readonly CertifiedBatch[]): object[] {
  const opened = unpackOpened(terms.opened);
  const cost = (gas: number): object => ({
    gas: String(gas),
    gas_price: "1000000000",
    from: addressNamed("coordinator"),
  });
  const base = { log_index: 0, contract: "certifier" };
  const first = {
    ...base,
    block: opened.block.toString(),
    transaction: named(`opened ${terms.dealId}`),
    time: opened.time.toString(),
    cost: cost(123_299),
    contract: "market",
    name: "DealOpened",
    batch: null,
    said: { requester: terms.requester, payer: terms.payer, pool: terms.pool, tasks: terms.taskCount },
  };
  const rest = batches.flatMap((batch) => {
    const at = {
      ...base,
      block: String(batch.block),
      transaction: batch.transaction,
      time: batch.certificate.certifiedAt.toString(),
      cost: cost(196_408),
      batch: batch.certificate.batch,
    };
    const slashed = batch.members.filter((member) => member.slash > 0n);
    return [
      {
        ...at,
        name: "Certified",
        said: { attempt: 0, odds: batch.certificate.odds.toString(), seats: batch.certificate.seats },
      },
      ...slashed.map((member) => ({
        ...at,
        name: "Slashed",
        said: { worker: member.worker, units: member.slash.toString() },
      })),
    ];
  });
  return [first, ...rest];
}

const workers = WORKERS.map((hand, at) => ({
  address: hand.address,
  operator: at + 1,
  pool: at < 7 ? 1 : 2,
  runtime: 1,
  activity: at === 5 ? "dormant" : "active",
  ready_at: null,
  bond: "1000000",
  reputation: hand.reputation,
  evidence: 0,
  earned: (BigInt(at + 1) * 412_345_678_901_234_567n).toString(),
  slashed: at === 8 ? "70" : "0",
  agreed: 40 + at * 7,
  differed: at === 8 ? 3 : 0,
  joined: { block: String(20 + at), transaction: named(`joined ${at}`) },
}));

const asset = (id: number, kind: string, name: string, price: bigint, deals: number, tasks: number): object => ({
  id: String(id),
  kind,
  name,
  owner: addressNamed("author"),
  content: contentId(bytes(name)),
  runtime: kind === "app" ? 1 : null,
  key_commitment: null,
  registered: { block: String(30 + id), transaction: named(`asset ${id}`) },
  best: price.toString(),
  deals,
  tasks,
});
const apps = [
  asset(1, "app", "image-class", 2_000_000_000_000_000n, 31, 412),
  asset(2, "app", "wordcount", 1_000_000_000_000_000n, 12, 1_210),
  asset(4, "app", "hello", 0n, 3, 3),
];
const datasets = [asset(3, "dataset", "open-nsfw", 1_000_000_000_000_000n, 31, 412)];

const pool = (id: number, name: string, count: number, deals: number): object => ({
  id,
  name,
  owner: addressNamed(`owner ${id}`),
  coordinator: addressNamed(`coordinator ${id}`),
  endpoint: "http://127.0.0.1:8650",
  share: 1_000,
  invitation: id === 2,
  deposit: "1000000000000000000000",
  nonce: 0,
  closes_at: null,
  slashed: "0",
  created: { block: String(10 + id), transaction: named(`pool ${id}`) },
  workers: count,
  bond: String(count * 1_000_000),
  deals,
  best: "40000000000000",
});
const pools = [pool(1, "Harbour", 7, 41), pool(2, "Old Town", 2, 5)];

function history(address: string): object[] {
  return Array.from({ length: 24 }, (_, at) => ({
    at: { block: String(200 - at * 7), transaction: named(`${address} ${at}`) },
    reputation: Math.max(0, 400 - at * 17 - (at % 5) * 9),
    bond: String(1_000_000 - (at > 15 ? 200_000 : 0)),
    earned: (BigInt(24 - at) * 61_000_000_000_000_000n).toString(),
    slashed: "0",
  }));
}

const quote = {
  operators_needed: 4,
  seats_wanted: 6,
  executions_expected_milli: "4690",
  undecided_ppm: 21_000,
  wrong_ppm: 2_900,
  first_wave_percent: 96,
  price_expected: "654000000000000000",
  price_locked: "2572000000000000000",
  seconds_expected: "9",
  window: "600",
  pool: { workers: 7, operators: 7, bond: "7000000" },
  promises: [
    {
      name: "odds",
      promise: "99:1 that a result is right",
      assumption: "at most 20 % of the pool's stake is faulty, and faults are independent",
    },
    {
      name: "operators",
      promise: "3 distinct operators agree at least",
      assumption: "operators are distinct addresses with bonds; one person may have several",
    },
    {
      name: "stake",
      promise: "0 tokens of free stake stand behind it",
      assumption: "who was wrong loses stake, if somebody shows it within 10 min",
    },
  ],
  obstacles: [],
};

function roundOf(terms: Terms): object {
  const steps = ["contributed", "contributed", "contributed", "committed", "seated"];
  const id = roundId(terms.dealId, 0, 0, named("seed running"));
  return {
    round: { id, deal: terms.dealId, batch: 0, attempt: 0 },
    wave: 0,
    want: 6,
    target: "99000000",
    odds: "64000000",
    claims: 1,
    members: steps.map((step, at) => ({ worker: WORKERS[at]!.address, operator: at + 1, wave: 0, step })),
    lists: [],
    equivocators: [],
    outcome: null,
    result: null,
  };
}

const listed = (at: number, kind: string, signer: string, order: object, price: string): object => ({
  hash: named(`order ${at}`),
  price,
  left: "999588",
  signed: {
    chain: Number(CHAIN_ID),
    market: CONTRACTS.market,
    kind,
    order: { ...order, expiry: String(START + 864_000) },
    signer: addressNamed(signer),
    signature: "0x",
  },
});
const orders = [
  listed(1, "app", "author", { app: "1" }, "2000000000000000"),
  listed(2, "dataset", "author", { dataset: "3" }, "1000000000000000"),
  listed(3, "pool", "owner 1", { pool: 1 }, "40000000000000"),
];

const ACCOUNT = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const account = {
  address: ACCOUNT,
  now: {
    balance: "412500000000000000000",
    tokens: "87500000000000000000",
    allowance: "0",
    coins: "998700000000000000",
    nonce: "0",
  },
  locked: "2572000000000000000",
  history: null,
  assets: [],
  pools: [],
  operator: null,
};

export const about = (rpc: string | null): object => ({
  chain: Number(CHAIN_ID),
  version: "0.1.0",
  contracts: CONTRACTS,
  token: CONTRACTS.token,
  head: { block: "512", time: String(START) },
  index: { block: "512", time: String(START) },
  parameters: {},
  parameters_version: 1,
  minimum_bond: "1000000000000000000",
  minimum_deposit: "1000000000000000000",
  rpc,
});

const page = (items: readonly unknown[]): object => ({ items, next: null });

function nowOf(certified: readonly CertifiedBatch[]): object {
  const latest = [...certified].sort((a, b) => Number(b.certificate.certifiedAt - a.certificate.certifiedAt));
  return {
    block: "512",
    time: String(START),
    tasks_ordered: 1_629,
    tasks_certified: 1_625,
    executions: 2_031,
    stake: "12840",
    slashed: "70",
    operators: 9,
    deals: { open: 1, certified: 45 },
    certificates: { standing: 118, overturned: 1 },
    cases: {},
    assets: { app: 3, dataset: 1 },
    pools: [
      { id: 1, name: "Harbour", workers: 7, bond: "7000000" },
      { id: 2, name: "Old Town", workers: 2, bond: "2000000" },
    ],
    latest: latest.slice(0, 10).map(certificateRow),
  };
}

/** The answers about one deal. */
function ofDeal(rest: string, terms: Terms, batches: readonly CertifiedBatch[]): unknown {
  const all = Math.ceil(terms.taskCount / terms.batchSize);
  const shown = (number: number): object => {
    const found = batches.find((batch) => batch.certificate.batch === number);
    return found
      ? { ...batchShown(found), certificate: certificateRow(found), cases: [] }
      : { ...untouched(terms, number), certificate: null };
  };
  if (rest === "") return dealShown(terms, batches);
  if (rest === "/rounds") return { pool: 1, items: batches.length === all ? [] : [roundOf(terms)] };
  if (rest === "/events") return page(eventsOf(terms, batches));
  if (rest === "/batches") return page(Array.from({ length: all }, (_, at) => shown(at)));
  const batch = /^\/batches\/(\d+)$/.exec(rest);
  if (batch && Number(batch[1]) < all) return shown(Number(batch[1]));
  const task = /^\/tasks\/(\d+)$/.exec(rest);
  if (!task || Number(task[1]) >= terms.taskCount) return undefined;
  const number = Number(task[1]);
  const at = Math.floor(number / terms.batchSize);
  return {
    deal: terms.dealId,
    task: number,
    index: number % terms.batchSize,
    batch: shown(at),
    delivery: null,
    result: "",
  };
}

/** The city; `empty`: as it is before anything happened. */
export async function makeCity(empty = false): Promise<City> {
  const certified: CertifiedBatch[] = [];
  for (const plan of empty ? [] : PLANS) {
    const batches = Math.ceil(plan.outputs.length / plan.batchSize);
    for (let batch = 0; batch < batches; batch++) certified.push(await certify(plan, batch, POLICY_USED));
  }
  const running = makeTerms(RUNNING);
  const of = (deal: string): CertifiedBatch[] => certified.filter((batch) => batch.terms.dealId === deal);
  const deals = [running, ...new Map(certified.map((batch) => [batch.terms.dealId, batch.terms])).values()];
  const nothing = {
    ...nowOf([]),
    tasks_certified: 0,
    tasks_ordered: 0,
    executions: 0,
    stake: "0",
    operators: 0,
    deals: {},
    certificates: {},
    pools: [],
  };
  const fixed: Record<string, () => unknown> = {
    "/now": () => (empty ? nothing : nowOf(certified)),
    "/deals": () => page(empty ? [] : deals.map((terms) => dealShown(terms, of(terms.dealId)))),
    "/certificates": () => page(certified.map(certificateRow)),
    "/workers": () => page(empty ? [] : workers),
    "/pools": () => page(empty ? [] : pools),
    "/apps": () => page(empty ? [] : apps),
    "/datasets": () => page(empty ? [] : datasets),
    "/orders": () => page(empty ? [] : orders),
    "/quote": () => ({ quote, prices: { app: "2000000000000000", dataset: "0", fee_per_mfuel: "40000000000000" } }),
    [`/accounts/${ACCOUNT}`]: () => account,
  };
  const blobs = [...PLANS, RUNNING].flatMap((plan) => [manifestFor(plan), ...inputsOf(plan)]);
  return {
    certified,
    running,
    answer(path) {
      if (fixed[path]) return fixed[path]();
      const deal = /^\/deals\/(0x[0-9a-f]{64})(.*)$/.exec(path);
      const terms = deal && deals.find((one) => one.dealId === deal[1]);
      if (deal) return terms ? ofDeal(deal[2]!, terms, of(terms.dealId)) : undefined;
      const worker = /^\/workers\/(0x[0-9a-f]{40})(\/history)?$/.exec(path);
      const found = worker && workers.find((one) => one.address === worker[1]);
      if (found)
        return worker[2]
          ? page(history(found.address))
          : { ...found, now: { exposure: "31", room: "499969", seats_from: "60" } };
      const operator = /^\/operators\/(\d+)$/.exec(path);
      if (operator)
        return {
          id: Number(operator[1]),
          owner: addressNamed("operator"),
          workers: page([workers[Number(operator[1]) - 1]]),
        };
      const [, kind, id] = /^\/(apps|datasets|pools)\/(\d+)$/.exec(path) ?? [];
      const rows = { apps, datasets, pools }[kind ?? ""] as readonly { id: unknown }[] | undefined;
      return rows?.find((row) => String(row.id) === id);
    },
    blob: (id) => blobs.find((one) => contentId(one) === id),
    bundle(deal, batch) {
      const found = of(deal).find((one) => one.certificate.batch === batch);
      return found && writeBundle(found.receipts, found.outputs);
    },
  };
}
