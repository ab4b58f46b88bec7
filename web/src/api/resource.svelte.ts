/** A part of a page that comes from the gateway: what is known, whether more is on its way, and what went wrong. */

import { untrack } from "svelte";

import { get, Problem, type Page } from "./client";
import { listen, type LiveEvent } from "./live";

export interface Resource<T> {
  /** The last that was read; it stays while it is read again, and when that fails. */
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
  readonly loading: boolean;
  reload(): void;
}

/** Changes come in bursts; one reading answers all of a burst. */
const BURST_MS = 150;

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(error instanceof Error ? error.message : String(error), 0, "page");
}

/** Reads a path, again whenever it changes or one of the topics says so. Nothing is read while the path is undefined. */
export function resource<T>(path: () => string | undefined, topics: () => readonly string[] = () => []): Resource<T> {
  let data = $state.raw<T>();
  let problem = $state.raw<Problem>();
  let loading = $state(true);
  let again = $state(0);
  let shown: string | undefined;

  $effect(() => {
    const from = path();
    void again;
    if (from === undefined) return;
    if (from !== shown) data = undefined;
    const abort = new AbortController();
    loading = true;
    get<T>(from, abort.signal).then(
      (found) => {
        data = found;
        shown = from;
        problem = undefined;
        loading = false;
      },
      (error) => {
        if (abort.signal.aborted) return;
        problem = problemOf(error);
        loading = false;
      },
    );
    return () => abort.abort();
  });

  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const changed = (event: LiveEvent): void => {
      if (event.kind === "progress" || timer !== undefined) return;
      timer = setTimeout(() => {
        timer = undefined;
        again++;
      }, BURST_MS);
    };
    const stops = topics().map((topic) => listen(topic, changed));
    return () => {
      clearTimeout(timer);
      stops.forEach((stop) => stop());
    };
  });

  return {
    get data() {
      return data;
    },
    get problem() {
      return problem;
    },
    get loading() {
      return loading;
    },
    reload: () => void again++,
  };
}

export interface List<T> extends Resource<readonly T[]> {
  readonly more: boolean;
  readonly readingMore: boolean;
  loadMore(): void;
}

/** What a list shows: so many pages after one first page. */
interface Read<T> {
  readonly first: Page<T>;
  readonly pages: number;
  readonly items: readonly T[];
  readonly next: string | null;
}

const beginning = <T>(first: Page<T>): Read<T> => ({ first, pages: 1, items: first.items, next: first.next ?? null });

async function continued<T>(read: Read<T>, path: string, signal: AbortSignal): Promise<Read<T>> {
  const cursor = `${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(read.next!)}`;
  const page = await get<Page<T>>(path + cursor, signal);
  return { ...read, pages: read.pages + 1, items: [...read.items, ...page.items], next: page.next ?? null };
}

/**
 * A list, page by page. When its beginning changes, as many pages as were read are read again behind the new beginning, and
 * shown all at once: what moved from one page to the next is neither lost nor there twice.
 */
export function list<T>(path: () => string | undefined, topics?: () => readonly string[]): List<T> {
  const first = resource<Page<T>>(path, topics);
  let wanted = $state(1);
  let read = $state.raw<Read<T>>();
  let failed = $state.raw<Problem>();
  let again = $state(0);

  async function follow(from: string, begin: Page<T>, pages: number, signal: AbortSignal): Promise<void> {
    const known = untrack(() => read);
    let found = known?.first === begin ? known : beginning(begin);
    try {
      while (found.pages < pages && found.next) found = await continued(found, from, signal);
      if (signal.aborted) return;
      read = found;
      failed = undefined;
    } catch (error) {
      if (signal.aborted) return;
      failed = problemOf(error);
      // What is shown stays; who wants more asks again.
      wanted = untrack(() => read?.pages ?? 1);
    }
  }
  $effect(() => {
    const [from, begin, pages] = [path(), first.data, wanted];
    void again;
    if (from === undefined || !begin) {
      read = undefined;
      wanted = 1;
      return;
    }
    const abort = new AbortController();
    void follow(from, begin, pages, abort.signal);
    return () => abort.abort();
  });

  const more = $derived(Boolean(read?.next));
  const readingMore = $derived(more && wanted > (read?.pages ?? 1));
  return {
    get data() {
      return read?.items;
    },
    get problem() {
      return first.problem ?? failed;
    },
    get loading() {
      return first.loading;
    },
    get more() {
      return more;
    },
    get readingMore() {
      return readingMore;
    },
    reload() {
      // The beginning may be as it was, and what failed be a page behind it.
      again++;
      first.reload();
    },
    loadMore() {
      if (more && !readingMore) wanted = read!.pages + 1;
    },
  };
}
