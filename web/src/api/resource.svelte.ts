/** A part of a page that comes from the gateway: what is known, whether more is on its way, and what went wrong. */

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
  loadMore(): Promise<void>;
}

/** A list, page by page. */
export function list<T>(path: () => string | undefined, topics?: () => readonly string[]): List<T> {
  const first = resource<Page<T>>(path, topics);
  let rest = $state.raw<readonly T[]>([]);
  let cursor = $state.raw<string | null>();
  let readingMore = $state(false);
  let failed = $state.raw<Problem>();
  $effect(() => {
    rest = [];
    cursor = first.data?.next ?? null;
  });
  return {
    get data() {
      return first.data && [...first.data.items, ...rest];
    },
    get problem() {
      return first.problem ?? failed;
    },
    get loading() {
      return first.loading;
    },
    get more() {
      return Boolean(cursor);
    },
    get readingMore() {
      return readingMore;
    },
    reload: first.reload,
    async loadMore() {
      const from = path();
      if (!cursor || from === undefined || readingMore) return;
      readingMore = true;
      try {
        const page = await get<Page<T>>(`${from}${from.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`);
        rest = [...rest, ...page.items];
        cursor = page.next ?? null;
        failed = undefined;
      } catch (error) {
        failed = problemOf(error);
      } finally {
        readingMore = false;
      }
    },
  };
}
