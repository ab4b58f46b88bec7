/** Orders: stores the inputs, signs the request, finds its match, and sends the transaction that opens the deal. */

import { post, putBlob } from "../api/client";
import {
  big,
  type About,
  type Account,
  type Asset,
  type Match,
  type Numeric,
  type Pool,
  type Quoted,
} from "../api/types";
import type { Hex } from "../protocol/bytes";
import { contentId } from "../protocol/content";
import { dealId, marketDomain, REQUEST_ORDER, type Policy } from "../protocol/orders";
import { toJson } from "../protocol/struct";
import { Chain } from "../verify/chain";
import { onChain, settled, typedData, type Connected } from "../wallet/wallet.svelte";
import { manifestOf, requestFor, type Input } from "./order";

export interface Purchase {
  readonly connected: Connected;
  readonly about: About;
  readonly account: Account;
  readonly app: Asset;
  readonly dataset: Asset | undefined;
  readonly pool: Pool;
  /** What the quote was made with. */
  readonly prices: Quoted["prices"];
  readonly policy: Policy;
  readonly fuelLimit: bigint;
  readonly inputs: readonly Input[];
  /** Says what is being done. */
  readonly tell: (what: string) => void;
}

/** Prices may rise a little between quote and match; this is the most that is signed for. */
const SLACK_PERCENT = 110n;

function cap(price: Numeric): bigint {
  return (big(price) * SLACK_PERCENT) / 100n;
}

async function store(inputs: readonly Input[], manifest: Uint8Array<ArrayBuffer>): Promise<void> {
  const all = new Map([...inputs.map((input) => input.bytes), manifest].map((bytes) => [contentId(bytes), bytes]));
  for (const [id, bytes] of all) await putBlob(id, bytes);
}

/** The id of the deal, once it stands on chain. */
export async function order(purchase: Purchase): Promise<Hex> {
  const { connected, about, account, app, dataset, pool, prices, policy, fuelLimit, inputs, tell } = purchase;
  await onChain(connected, about);
  tell("Storing the inputs");
  const manifest = manifestOf(app.name || "app", inputs);
  await store(inputs, manifest);
  tell("Waiting for your signature");
  const head = await new Chain(connected.provider).head();
  const request = requestFor(
    {
      requester: connected.address,
      app: BigInt(app.id),
      dataset: dataset ? BigInt(dataset.id) : 0n,
      pool: pool.id,
      policy,
      fuelLimit,
      inputs,
      nonce: big(account.now.nonce),
      prices: { app: cap(prices.app), dataset: cap(prices.dataset), fee: cap(prices.fee_per_mfuel) },
    },
    manifest,
    head.time,
  );
  const domain = marketDomain(BigInt(about.chain), about.contracts.market);
  const signature = await connected.sign(typedData(domain, REQUEST_ORDER, request));
  tell("Finding the offers");
  const match = await post<Match>("/match", { order: toJson(REQUEST_ORDER, request), signature });
  // The transaction is the gateway's word; the Market is where it must go, whatever else it says.
  if (match.transaction.to.toLowerCase() !== about.contracts.market.toLowerCase()) {
    throw new Error("the gateway offers a transaction that is not for the Market: nothing was sent");
  }
  tell("Waiting for the wallet");
  const hash = await connected.send({ to: match.transaction.to, data: match.transaction.data });
  tell("Waiting for the chain");
  await settled(connected.provider, hash);
  return dealId(domain, request);
}
