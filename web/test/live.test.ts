/** One stream for all that a page looks at: nothing that was told is missed while its topics change. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { listen, type LiveEvent } from "../src/api/live";

/** A stream that somebody asked for. */
interface Asked {
  readonly topics: string[];
  readonly lastId: string | null;
  tell(id: string, event?: object): void;
}

let asked: Asked[];

function stream(url: string, init: RequestInit): Response {
  const { searchParams } = new URL(url, "http://gateway");
  let body!: ReadableStreamDefaultController<Uint8Array>;
  const readable = new ReadableStream<Uint8Array>({ start: (controller) => void (body = controller) });
  const text = new TextEncoder();
  asked.push({
    topics: searchParams.getAll("topic"),
    lastId: new Headers(init.headers).get("last-event-id"),
    tell: (id, event) =>
      body.enqueue(text.encode(`id: ${id}\n${event ? `data: ${JSON.stringify(event)}\n` : ":\n"}\n`)),
  });
  return new Response(readable);
}

beforeEach(() => {
  asked = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => stream(url, init));
});
afterEach(() => vi.unstubAllGlobals());

test("what is told under an old topic while a new one waits for its stream comes again", async () => {
  const now: LiveEvent[] = [];
  const deal: LiveEvent[] = [];
  const stops = [listen("now", (event) => now.push(event))];
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  expect([asked[0]!.topics, asked[0]!.lastId]).toEqual([["now"], null]);
  asked[0]!.tell("7-1", { kind: "changed", topic: "now", object: "pool" });
  await vi.waitFor(() => expect(now.map((event) => event["object"])).toContain("pool"));

  stops.push(listen("deal:0xab", (event) => deal.push(event)));
  // It belongs to the deal, too; the stream that is open knows nothing of that.
  asked[0]!.tell("7-2", { kind: "changed", topic: "now", object: "certificate" });
  await vi.waitFor(() => expect(now.map((event) => event["object"])).toContain("certificate"));
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  expect([asked[1]!.topics, asked[1]!.lastId]).toEqual([["deal:0xab", "now"], "7-1"]);
  asked[1]!.tell("7-2", { kind: "changed", topic: "deal:0xab", object: "certificate" });
  await vi.waitFor(() => expect(deal.map((event) => event["object"])).toEqual(["certificate"]));

  // A topic less needs nothing again.
  stops.pop()!();
  await vi.waitFor(() => expect(asked).toHaveLength(3));
  expect([asked[2]!.topics, asked[2]!.lastId]).toEqual([["now"], "7-2"]);
  stops.pop()!();
});
