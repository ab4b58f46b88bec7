/** What apps, datasets and pools are called: a name never changes, so each is asked for once. */

import { SvelteMap } from "svelte/reactivity";

import { get } from "../api/client";
import type { Numeric } from "../api/types";

export type Named = "app" | "dataset" | "pool";

const names = new SvelteMap<string, string>();
const asked = new Set<string>();

/** Its name; until that is known, and where there is none, what it is and its number. */
export function nameOf(kind: Named, id: Numeric): string {
  return names.get(`${kind} ${id}`) ?? `${kind} ${id}`;
}

/** Asks for a name that is not known yet. */
export function askName(kind: Named, id: Numeric): void {
  const key = `${kind} ${id}`;
  if (asked.has(key)) return;
  asked.add(key);
  get<{ readonly name: string }>(`/${kind}s/${id}`).then(
    ({ name }) => name !== "" && names.set(key, name),
    // A page without this name is as good; the next one asks again.
    () => asked.delete(key),
  );
}
