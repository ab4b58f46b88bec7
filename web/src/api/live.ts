/**
 * What changes, as server-sent events: one stream for all that the page looks at. It is read with `fetch`, because a stream
 * whose topics change must resume with `Last-Event-ID`, which `EventSource` sends of its own accord only.
 */

import { BASE } from "./client";

export interface LiveEvent {
  readonly topic: string;
  readonly kind: "changed" | "progress" | "reverted" | "reset" | string;
  readonly [more: string]: unknown;
}

type Listener = (event: LiveEvent) => void;

/** Reads lines of `text/event-stream` as they come. */
export class EventReader {
  private rest = "";
  private data: string[] = [];
  private kind = "";
  /** The last event's id: where to resume. */
  lastId = "";

  /** Takes text and gives the events that it completes. */
  push(text: string): { kind: string; data: string }[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?=[^\n])/);
    this.rest = lines.pop()!;
    const found: { kind: string; data: string }[] = [];
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) found.push({ kind: this.kind, data: this.data.join("\n") });
        this.data = [];
        this.kind = "";
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") this.data.push(value);
      else if (field === "event") this.kind = value;
      else if (field === "id") this.lastId = value;
    }
    return found;
  }
}

const listeners = new Map<string, Set<Listener>>();
let current: AbortController | undefined;
let scheduled = false;
let reader = new EventReader();
/** The last event before somebody listened to a topic that the stream does not have yet. */
let since: string | undefined;
const WAITS_MS = [500, 1_000, 2_000, 5_000, 15_000];

function tell(event: LiveEvent): void {
  const everybody = event.kind === "reset" || event.kind === "reverted" || !event.topic;
  for (const [topic, those] of listeners) {
    if (everybody || topic === event.topic) for (const listener of those) listener(event);
  }
}

async function follow(topics: readonly string[], signal: AbortSignal, resumes: boolean): Promise<void> {
  const text = topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join("&");
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (reader.lastId) headers["last-event-id"] = reader.lastId;
  const response = await fetch(`${BASE}/events?${text}`, { headers, signal });
  if (!response.ok || !response.body) throw new Error(`the stream answered ${response.status}`);
  // Without an id to resume after, whatever happened while nobody listened is unknown; what was asked in vain meanwhile is asked again.
  if (!reader.lastId || resumes) tell({ topic: "", kind: "reset" });
  const decoder = new TextDecoder();
  const stream = response.body.getReader();
  for (;;) {
    const { done, value } = await stream.read();
    if (done) return;
    for (const event of reader.push(decoder.decode(value, { stream: true }))) {
      try {
        tell({ kind: event.kind, ...JSON.parse(event.data) });
      } catch {
        // An event of another version is none of ours.
      }
    }
  }
}

async function run(signal: AbortSignal, topics: readonly string[]): Promise<void> {
  for (let failures = 0, lost = false; !signal.aborted; failures++) {
    const started = Date.now();
    try {
      await follow(topics, signal, lost);
    } catch {
      // The gateway is away: the pages go on with what they have.
    }
    if (signal.aborted) return;
    // Everything is read again, so that each part of a page says for itself that it is not the latest.
    if (!lost) tell({ topic: "", kind: "reset" });
    lost = true;
    if (Date.now() - started > 10_000) failures = 0;
    const wait = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)]!;
    await new Promise((done) => setTimeout(done, wait));
  }
}

function restart(): void {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    current?.abort();
    current = undefined;
    // What was told meanwhile may be of the new topic as well, and was told under an old one: it comes again.
    if (since !== undefined) reader.lastId = since;
    since = undefined;
    const topics = [...listeners.keys()].sort();
    if (topics.length === 0) {
      reader = new EventReader();
      return;
    }
    current = new AbortController();
    void run(current.signal, topics);
  }, 50);
}

/** Listens to a topic until the answer is called. */
export function listen(topic: string, listener: Listener): () => void {
  const those = listeners.get(topic);
  if (those) those.add(listener);
  else {
    listeners.set(topic, new Set([listener]));
    since ??= reader.lastId;
    restart();
  }
  return () => {
    const left = listeners.get(topic);
    left?.delete(listener);
    if (left?.size === 0) {
      listeners.delete(topic);
      restart();
    }
  };
}
