/** Visitors who mean no good: each gets an answer that names what was wrong, no script of theirs runs, and others are served meanwhile. */

import { connect } from "node:net";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { contentId } from "../../src/protocol/content";
import { APPS } from "./city";
import { payIn, quiet, visit, type Visit } from "./visit";

let here: Visit;
let api: string;

beforeAll(async () => {
  here = await visit();
  api = `${here.city.url}/api/v1`;
});
afterAll(() => here?.close());

/** Status and code of a problem document, which says what is wrong and what helps. */
async function problem(path: string, init: RequestInit = {}): Promise<[status: number, code: string]> {
  const response = await fetch(path.startsWith("http") ? path : api + path, init);
  expect(response.headers.get("content-type"), path).toContain("application/problem+json");
  const said = (await response.json()) as { status: number; code: string; detail: string; hint?: string };
  expect(said.status).toBe(response.status);
  expect(said.detail.length).toBeGreaterThan(5);
  return [said.status, said.code];
}

const LEFT_OPEN = "left open";

/** What a server answers to bytes that are no well-formed request until it closes the connection. */
function raw(bytes: string): Promise<string> {
  return new Promise((done) => {
    const { port, hostname } = new URL(here.city.url);
    let heard = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on("data", (part) => (heard += part.toString("latin1")));
    socket.on("error", () => done(heard));
    socket.on("close", () => done(heard));
    socket.setTimeout(20_000, () => (done(LEFT_OPEN), socket.destroy()));
  });
}

const json = (body: string, type = "application/json"): RequestInit => ({
  method: "POST",
  headers: { "content-type": type },
  body,
});

test("parameters and paths that are not known are refused by name", async () => {
  expect((await problem("/deals?nonsense=1"))[0]).toBe(400);
  expect((await problem("/deals?limit=100000"))[0]).toBe(400);
  expect((await problem("/deals?cursor=%00%ff"))[0]).toBe(400);
  expect((await problem("/deals/0x12"))[0]).toBe(400);
  expect((await problem(`/deals/0x${"ab".repeat(32)}`))[0]).toBe(404);
  expect((await problem("/workers/0x12"))[0]).toBe(400);
  expect((await problem("/blobs/..%2f..%2fetc%2fpasswd"))[0]).toBe(400);
  expect((await problem("/events?topic=everything"))[0]).toBe(400);
});

test("path tricks lead nowhere but to the page", async () => {
  for (const path of ["/..%2f..%2fetc/passwd", "/assets/..%2f..%2fCargo.toml", "//etc/passwd", "/%00"]) {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).not.toContain("root:");
    expect(answer).not.toContain("[workspace]");
    expect(answer).toMatch(/^HTTP\/1.1 (200|400|404)/);
  }
});

test("headers of a megabyte, requests that never end, and bytes that are none, are cut off", async () => {
  const slow = raw("GET / HTTP/1.1\r\nHost: x\r\n");
  expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(1 << 20)}\r\n\r\n`)).toMatch(
    /^(HTTP\/1.1 4(00|31)|$)/,
  );
  expect(await raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01\x02\r\n\r\n")).toMatch(/^HTTP\/1.1 200/);
  expect(await slow).not.toBe(LEFT_OPEN);
});

test("bodies that are no orders are refused: other types, bombs, too much", async () => {
  expect((await problem("/orders", json("{}", "text/plain")))[0]).toBe(415);
  expect((await problem("/orders", json("{}", "application/x-www-form-urlencoded")))[0]).toBe(415);
  expect((await problem("/orders", json("{")))[0]).toBe(400);
  expect((await problem("/orders", json("[".repeat(50_000))))[0]).toBe(400);
  expect((await problem("/orders", json(`{"order": "${"a".repeat(2 << 20)}"}`)))[0]).toBe(413);
  expect((await problem("/quote", json('{"policy": {"confidence": -1}}')))[0]).toBe(400);
});

test("no other site may ask in a visitor's name", async () => {
  const response = await fetch(`${api}/about`, { headers: { origin: "https://evil.example" } });
  expect(response.headers.get("access-control-allow-origin")).toBe(null);
  const preflight = await fetch(`${api}/orders`, {
    method: "OPTIONS",
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
  });
  expect(preflight.headers.get("access-control-allow-origin")).toBe(null);
});

test("a drawing with a script in it is bytes, and never a page", async () => {
  const drawing = new TextEncoder().encode(
    '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title = "mine"</script></svg>',
  );
  const stored = await fetch(`${api}/blobs/${contentId(drawing)}`, { method: "PUT", body: drawing });
  expect(stored.status).toBeLessThan(300);
  const shown = await fetch(`${api}/blobs/${contentId(drawing)}`);
  expect(shown.headers.get("content-type")).toBe("application/octet-stream");
  expect(shown.headers.get("content-security-policy")).toContain("sandbox");
  expect(shown.headers.get("x-content-type-options")).toBe("nosniff");
  const [status] = await problem(`/blobs/b3:${"12".repeat(32)}`, { method: "PUT", body: drawing });
  expect(status).toBe(422);
});

test("markup in a name is a name", async () => {
  const { page, city } = here;
  await payIn(here, 10);
  const name = `<img src=x onerror="document.title='mine'">`;
  await page.goto(`${city.url}/market?side=publish`);
  const module = Buffer.concat([
    readFileSync(join(APPS, "hello.wasm")),
    Buffer.from([0, 5, 4, ...Buffer.from("evil")]),
  ]);
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "evil.wasm", mimeType: "application/wasm", buffer: module });
  await page.getByRole("textbox", { name: "Name" }).fill(name);
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await page.waitForURL(/\/market\/apps\/\d+$/);
  await page.getByRole("heading", { name }).waitFor();
  expect(await page.title()).not.toBe("mine");
  quiet(here);
});

test("who floods takes nobody's turn", async () => {
  const requests = "GET /api/v1/about HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
  const flood = Array.from({ length: 8 }, () =>
    raw(`${requests}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
  );
  const live = await fetch(`${here.city.url}/live`);
  expect(live.status).toBe(200);
  await here.page.goto(`${here.city.url}/workers`);
  await here.page.getByRole("heading", { level: 1, name: "Workers" }).waitFor();
  for (const answers of await Promise.all(flood)) expect(answers).toMatch(/^HTTP\/1.1 (200|429|503)/);
});
