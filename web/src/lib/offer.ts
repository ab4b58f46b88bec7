/** Offers of what somebody owns: signed orders for an app or a dataset, put on the book. */

import { post } from "../api/client";
import { big, type About, type Registered } from "../api/types";
import { toHex, ZERO_ADDRESS, type Hex } from "../protocol/bytes";
import { APP_ORDER, DATASET_ORDER, marketDomain } from "../protocol/orders";
import { toJson } from "../protocol/struct";
import { typedData, type Connected } from "../wallet/wallet.svelte";

/** How many tasks an offer is for. */
const VOLUME = 1_000_000n;
const YEAR = 365n * 86_400n;

/** Signs an offer to everybody at a price a task, and puts it on the book. */
export async function offer(connected: Connected, about: About, asset: Registered, price: bigint): Promise<void> {
  const id = BigInt(asset.id);
  const rest = {
    price,
    volume: VOLUME,
    poolRestrict: 0,
    requesterRestrict: ZERO_ADDRESS,
    expiry: big(about.head.time) + YEAR,
    nonce: big(asset.nonce),
    salt: toHex(crypto.getRandomValues(new Uint8Array(32))),
  };
  const domain = marketDomain(big(about.chain), about.contracts.market);
  const put = async (order: unknown, signature: Hex): Promise<void> => {
    const who = { chain: about.chain, market: about.contracts.market, signer: connected.address };
    await post("/orders", { ...who, kind: asset.kind, order, signature });
  };
  if (asset.kind === "app") {
    const order = { app: id, datasetRestrict: 0n, ...rest };
    await put(toJson(APP_ORDER, order), await connected.sign(typedData(domain, APP_ORDER, order)));
  } else {
    const order = { dataset: id, appRestrict: 0n, ...rest };
    await put(toJson(DATASET_ORDER, order), await connected.sign(typedData(domain, DATASET_ORDER, order)));
  }
}
