/** What every page needs of the whole: who the gateway is. */

import { getContext, setContext } from "svelte";

import type { Resource } from "../api/resource.svelte";
import type { About } from "../api/types";

const ABOUT = Symbol("about");

export function provideAbout(about: Resource<About>): void {
  setContext(ABOUT, about);
}

export function useAbout(): Resource<About> {
  return getContext<Resource<About>>(ABOUT);
}
