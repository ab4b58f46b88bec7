/** Which page is at which path. Pages are loaded when they are first looked at. */

import type { Component } from "svelte";

interface Page {
  readonly default: Component<Record<string, string>>;
}
type Load = () => Promise<unknown>;

const ROUTES: readonly (readonly [pattern: RegExp, load: Load])[] = [
  [/^\/$/, () => import("./pages/Now.svelte")],
  [/^\/run$/, () => import("./pages/Run.svelte")],
  [/^\/market$/, () => import("./pages/Market.svelte")],
  [/^\/market\/(?<kind>app|dataset)s\/(?<id>\d+)$/, () => import("./pages/Asset.svelte")],
  [/^\/deals$/, () => import("./pages/Deals.svelte")],
  [/^\/deals\/(?<deal>0x[0-9a-f]{64})$/, () => import("./pages/Deal.svelte")],
  [/^\/deals\/(?<deal>0x[0-9a-f]{64})\/tasks\/(?<task>\d+)$/, () => import("./pages/Task.svelte")],
  [/^\/deals\/(?<deal>0x[0-9a-f]{64})\/batches\/(?<batch>\d+)$/, () => import("./pages/Batch.svelte")],
  [/^\/workers$/, () => import("./pages/Workers.svelte")],
  [/^\/workers\/(?<address>0x[0-9a-f]{40})$/, () => import("./pages/Worker.svelte")],
  [/^\/pools$/, () => import("./pages/Pools.svelte")],
  [/^\/pools\/(?<pool>\d+)$/, () => import("./pages/Pool.svelte")],
  [/^\/account$/, () => import("./pages/Account.svelte")],
];

/** The page of a path with what the path names; nothing where there is none. */
export function pageAt(path: string): { load: () => Promise<Page>; params: Record<string, string> } | undefined {
  const clean = (path.replace(/\/+$/, "") || "/").replace(/0x[0-9a-fA-F]+/g, (hex) => hex.toLowerCase());
  for (const [pattern, load] of ROUTES) {
    const match = pattern.exec(clean);
    if (match) return { load: load as () => Promise<Page>, params: { ...match.groups } };
  }
  return undefined;
}
