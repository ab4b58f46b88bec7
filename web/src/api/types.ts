/** What the gateway answers: shapes of `openapi.json`. Wide numbers are decimal text; `big` reads them. */

import type { Hex } from "../protocol/bytes";
import type { Status } from "../protocol/certificate";

/** Chains whose accounts are worth nothing: that of a city on one machine, and those of development nodes. */
const DEVELOPMENT_CHAINS = [20_261, 31_337, 1_337];

export function isDevelopment(about: About): boolean {
  return DEVELOPMENT_CHAINS.includes(about.chain);
}

/** A whole number as JSON has it: text where it may pass 2^53. */
export type Numeric = string | number;

export function big(value: Numeric | undefined | null): bigint {
  return value === undefined || value === null ? 0n : BigInt(value);
}

/** Where something stands on the chain. */
export interface Seen {
  readonly block: Numeric;
  readonly transaction: Hex;
}

export interface About {
  readonly chain: number;
  readonly version: string;
  readonly contracts: Readonly<
    Record<"vault" | "registry" | "workforce" | "market" | "certifier" | "recourse" | "court" | "jury", Hex>
  >;
  readonly token: Hex;
  readonly head: { readonly block: Numeric; readonly time: Numeric };
  /** Up to where the index is. */
  readonly index: { readonly block: Numeric; readonly time: Numeric };
  readonly parameters: Readonly<Record<string, Numeric>>;
  readonly minimum_bond: Numeric;
  /** A node that may be read from, where the gateway's owner names one for everybody. */
  readonly rpc?: string | null;
}

export interface Now {
  readonly tasks_certified: number;
  readonly tasks_ordered: number;
  readonly executions: number;
  /** Behind certificates, and slashed, in bond units. */
  readonly stake: Numeric;
  readonly slashed: Numeric;
  readonly operators: number;
  readonly deals: Readonly<Partial<Record<DealStatus, number>>>;
  readonly certificates: Readonly<Partial<Record<"standing" | "overturned", number>>>;
  readonly cases: Readonly<Record<string, number>>;
  readonly assets: Readonly<Partial<Record<"app" | "dataset", number>>>;
  readonly pools: readonly PoolWorkers[];
  readonly latest: readonly CertificateRow[];
}

export interface PoolWorkers {
  readonly id: number;
  readonly name: string;
  readonly workers: number;
  /** In bond units. */
  readonly bond: Numeric;
}

export interface BatchCounts {
  readonly all: number;
  readonly open: number;
  readonly certified: number;
  readonly void: number;
  readonly expired: number;
}

export type DealStatus = "open" | "certified" | "partly" | "refunded";

export interface Deal {
  readonly id: Hex;
  readonly at: Seen;
  /** Read with `fromJson(TERMS, ...)`. */
  readonly terms: Readonly<Record<string, unknown>> & {
    readonly requester: Hex;
    readonly app: Numeric;
    readonly dataset: Numeric;
    readonly pool: number;
    readonly taskCount: number;
    readonly batchSize: number;
    readonly fuelLimit: Numeric;
    readonly deadline: Numeric;
  };
  readonly policy:
    | (Readonly<Record<string, unknown>> & {
        readonly confidence: number;
        readonly disputeWindow: number;
        readonly replicasMax: number;
        readonly replicasMin: number;
        readonly faultyShareBps: number;
        readonly countReputation: boolean;
      })
    | null;
  readonly opened: { readonly block: Numeric; readonly time: Numeric; readonly patience: Numeric };
  readonly status: DealStatus;
  readonly batches: BatchCounts;
  readonly tasks_certified: number;
  readonly locked: Numeric;
  readonly paid: Numeric;
  readonly refunded: Numeric;
  readonly delivered: number;
  readonly tips: Numeric;
}

export interface Slash {
  readonly worker: Hex;
  readonly units: Numeric;
  readonly by_verdict: boolean;
  readonly at: Seen;
}

export interface Batch {
  readonly deal: Hex;
  readonly batch: number;
  readonly tasks: number;
  readonly status: Status;
  readonly final_at: Numeric | null;
  readonly attempt: number;
  readonly committed: readonly Hex[];
  readonly revealed: readonly Hex[];
  readonly contradicted: readonly Hex[];
  readonly slashes: readonly Slash[];
  readonly escrow: { readonly burnt: Numeric; readonly to_payer: Numeric; readonly to_workers: Numeric } | null;
  readonly refund: Numeric | null;
  readonly at: Seen | null;
}

/** A batch by itself: with its certificate and its cases. */
export interface BatchWhole extends Batch {
  readonly certificate: CertificateRow | null;
  readonly cases: readonly CaseRow[];
}

export interface ToldCase {
  readonly deal: Hex;
  readonly facts: {
    readonly batch: number;
    readonly index: number;
    readonly level: number;
    readonly kind: CaseKind;
    readonly seats: number;
    readonly runtime: number;
    readonly window: Numeric;
    readonly opened_at: Numeric;
    readonly opened_block: Numeric;
    readonly verdict_before: number;
  };
  readonly stakes: {
    readonly bond: Numeric;
    readonly runtime_bond: Numeric;
    readonly slash: Numeric;
    readonly pool: number;
  };
  readonly opener: Hex;
  readonly worker: Hex;
  readonly seal: Hex;
  readonly before: Hex;
}

export type CaseKind = "bonded" | "staked" | "audit" | "expiry" | "accusation";

export interface CaseRow {
  readonly id: Hex;
  readonly deal: Hex;
  /** The record, as calls bring it back. */
  readonly case: ToldCase;
  readonly state: string;
  readonly verdict: string | null;
  readonly odds: Numeric | null;
  readonly commit_end: Numeric;
  readonly reveal_end: Numeric;
  readonly appeal_end: Numeric;
  readonly jurors: readonly { readonly worker: Hex; readonly finding: Hex | null }[];
  /** Whether its opener has shown what it had sealed. */
  readonly seal_shown: boolean;
  readonly opened: Seen;
}

export interface MemberRow {
  readonly worker: Hex;
  readonly claim: number;
  readonly wave: number;
  readonly slash: Numeric;
  readonly exposure: Numeric;
  readonly earned: Numeric;
}

export interface CertificateRow {
  readonly deal: Hex;
  readonly batch: number;
  readonly attempt: number;
  readonly pool: number;
  readonly tasks: number;
  readonly target: Numeric;
  readonly odds: Numeric;
  /** Read with `fromJson(CERTIFICATE, ...)`. */
  readonly certificate: Readonly<Record<string, unknown>> & {
    readonly root: Hex;
    readonly fuel: Numeric;
    readonly stake: Numeric;
    readonly seats: number;
    readonly seedKind: number;
    readonly certifiedAt: Numeric;
    readonly finalAt: Numeric;
  };
  readonly trail: Numeric;
  readonly members: readonly MemberRow[];
  readonly rivals: readonly { readonly root: Hex; readonly fuel: Numeric }[];
  readonly overturned: boolean;
  readonly at: Seen;
}

export interface Task {
  readonly deal: Hex;
  readonly task: number;
  readonly index: number;
  readonly batch: BatchWhole;
  readonly delivery: { readonly at: Seen; readonly is_final: boolean } | null;
}

/** An event of the contracts, in the chain's order. */
export interface ChainEvent {
  readonly block: Numeric;
  readonly log_index: number;
  readonly transaction: Hex;
  readonly time: Numeric | null;
  readonly cost: { readonly gas: Numeric; readonly gas_price: Numeric; readonly from: Hex } | null;
  readonly contract: string;
  readonly name: string;
  readonly batch: number | null;
  readonly said: Readonly<Record<string, unknown>>;
}

/** A round as its coordinator tells it. */
export interface Round {
  readonly round: { readonly id: Hex; readonly deal: Hex; readonly batch: number; readonly attempt: number };
  readonly wave: number;
  readonly want: number;
  readonly target: Numeric;
  readonly odds: Numeric;
  readonly claims: number;
  readonly members: readonly {
    readonly worker: Hex;
    readonly operator: number;
    readonly wave: number;
    readonly step: "seated" | "committed" | "unavailable" | "contributed";
  }[];
  readonly outcome: {
    readonly outcome: "certified" | "reopened" | "unavailable" | "expired";
    readonly transaction?: Hex;
    readonly odds?: Numeric;
  } | null;
}

export interface Worker {
  readonly address: Hex;
  readonly operator: number;
  readonly pool: number;
  readonly runtime: number;
  readonly activity: "active" | "expelled" | "leaving" | "dormant";
  readonly ready_at: Numeric | null;
  readonly bond: Numeric;
  readonly reputation: number;
  readonly earned: Numeric;
  readonly slashed: Numeric;
  readonly agreed: number;
  readonly differed: number;
  readonly joined: Seen;
  /** As the chain has it now; only of a worker by itself. */
  readonly now?: { readonly exposure: Numeric; readonly room: Numeric; readonly seats_from: Numeric | null } | null;
}

export interface Operator {
  readonly id: number;
  readonly owner: Hex;
  readonly workers: { readonly items: readonly Worker[]; readonly next?: string | null };
}

export interface HistoryPoint {
  readonly at: Seen;
  readonly time?: Numeric | null;
  readonly reputation: number;
  readonly bond: Numeric;
  readonly earned: Numeric;
  readonly slashed: Numeric;
}

export interface Pool {
  readonly id: number;
  readonly name: string;
  readonly owner: Hex;
  readonly coordinator: Hex;
  readonly endpoint: string | null;
  readonly share: number;
  readonly invitation: boolean;
  readonly deposit: Numeric;
  readonly closes_at: Numeric | null;
  readonly slashed: Numeric;
  readonly workers: number;
  readonly bond: Numeric;
  readonly deals: number;
  readonly best: Best;
  readonly created: Seen;
}

/** The lowest price on the book, if there is one. */
export type Best = Numeric | null;

export interface Asset {
  readonly id: Numeric;
  readonly kind: "app" | "dataset";
  readonly name: string;
  readonly owner: Hex;
  readonly content: string;
  readonly runtime: number | null;
  readonly key_commitment: Hex | null;
  /** What orders of it are signed with. */
  readonly nonce: Numeric;
  readonly registered: Seen;
  readonly best: Best;
  /** Deals and tasks that it was ordered for. */
  readonly deals: number;
  readonly tasks: number;
}

/** An asset as the registry has it, without what the market makes of it. */
export type Registered = Omit<Asset, "best" | "deals" | "tasks">;

/** An order with its signature, as the command writes it. */
export interface SignedOrder {
  readonly chain: number;
  readonly market: Hex;
  readonly kind: "app" | "dataset" | "pool" | "request";
  readonly order: Readonly<Record<string, unknown>>;
  readonly signer: Hex;
  readonly signature: Hex;
}

/** An order on the book. */
export interface Order {
  readonly hash: Hex;
  readonly price: Numeric;
  /** Tasks that it has left. */
  readonly left: Numeric;
  readonly signed: SignedOrder;
}

export interface Account {
  readonly address: Hex;
  /** As the chain has it now: free in the Vault, in the token outside of it, what the Vault may take, coins for gas, the requests' nonce. */
  readonly now: {
    readonly balance: Numeric;
    readonly tokens: Numeric;
    readonly allowance: Numeric;
    readonly coins: Numeric;
    readonly nonce: Numeric;
  };
  readonly locked: Numeric;
  readonly assets: readonly Registered[];
  readonly pools: readonly Pool[];
  readonly operator: { readonly id: number; readonly owner: Hex } | null;
}

export interface PromiseMade {
  readonly name: "odds" | "operators" | "stake";
  readonly promise: string;
  readonly assumption: string;
}

export interface Quote {
  readonly operators_needed: number;
  readonly seats_wanted: number;
  readonly executions_expected_milli: Numeric;
  readonly undecided_ppm: number;
  readonly wrong_ppm: number;
  readonly first_wave_percent: number;
  readonly price_expected: Numeric;
  readonly price_locked: Numeric;
  readonly seconds_expected: Numeric;
  readonly window: Numeric;
  readonly pool: { readonly workers: number; readonly operators: number; readonly bond: Numeric };
  readonly promises: readonly PromiseMade[];
  readonly obstacles: readonly string[];
}

/** What `POST /quote` answers. */
export interface Quoted {
  readonly quote: Quote;
  readonly prices: { readonly app: Numeric; readonly dataset: Numeric; readonly fee_per_mfuel: Numeric };
}

export interface Match {
  readonly deal: Hex;
  readonly lock: Numeric;
  readonly transaction: { readonly to: Hex; readonly data: Hex; readonly value?: Numeric };
}
