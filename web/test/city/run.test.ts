/** From a choice to a certificate, with a wallet that signs for real; verified in the page, and not believed where the gateway lies. */

import { join } from "node:path";

import type { Request, Route } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { fromHex } from "../../src/protocol/bytes";
import { readBundle } from "../../src/verify/bundle";
import { SHOTS, violations } from "../pages/browser";
import { ASSETS } from "./city";
import { certified, guest, orderText, payIn, pressOrder, quiet, verify, visit, type Visit } from "./visit";

let here: Visit;
let deal: string;

beforeAll(async () => {
  here = await visit();
});
afterAll(() => here?.close());

test("the first load is small, and soon there", async () => {
  const browser = here.context.browser()!;
  const waits: number[] = [];
  for (let load = 0; load < 3; load++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const finished: Request[] = [];
    page.on("requestfinished", (request) => finished.push(request));
    const start = performance.now();
    await page.goto(here.city.url);
    await page.getByRole("link", { name: "Workers", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Workers" }).waitFor();
    waits.push(performance.now() - start);
    // Asked now and not as each ends: one that ends while the page is closed has nobody left to ask.
    const sizes = await Promise.all(finished.map((request) => request.sizes()));
    const bytes = sizes.reduce((sum, size) => sum + size.responseBodySize, 0);
    expect(bytes).toBeGreaterThan(30_000);
    expect(bytes).toBeLessThan(150_000);
    await context.close();
  }
  // The quickest of three: others use this machine, too.
  expect(Math.min(...waits)).toBeLessThan(1_000);
});

test("a visitor pays in", async () => {
  await payIn(here, 2_000);
  expect(here.wallet.asked.map((one) => one.method)).toEqual(["eth_sendTransaction", "eth_sendTransaction"]);
  quiet(here);
});

test("a text is ordered with one signature and one transaction, and certified before one's eyes", async () => {
  here.wallet.asked.length = 0;
  deal = await orderText(here, "one two two");
  expect(here.wallet.asked.map((one) => one.method)).toEqual(["eth_signTypedData_v4", "eth_sendTransaction"]);
  await certified(here.page);
  expect(await violations(here.page)).toEqual([]);
  quiet(here);
});

test("its result is there, and every step of its verification holds", async () => {
  const { page } = here;
  await page.getByRole("button", { name: "Show its result" }).click();
  await page.getByText("lines 0, words 3, distinct 2").waitFor();
  expect(await verify(page)).toEqual([]);
  await page.getByText("It holds: every step was recomputed here.").waitFor();
  expect(await violations(page)).toEqual([]);
  quiet(here);
});

test("who has no wallet orders with the account for visitors, which the browser remembers", async () => {
  const visitor = await guest(here);
  const { page, city } = visitor;
  await page.goto(city.url);
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByText("This browser announces no wallet.").waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Development account" }).click();
  await page.getByRole("button", { name: /^0xf39f/ }).waitFor();
  await orderText(visitor, "no wallet at all");
  await certified(page);
  await page.getByRole("button", { name: "Show its result" }).click();
  expect(await verify(page)).toEqual([]);
  quiet(visitor);
  await visitor.close();
});

describe("verification fails where the gateway lies", () => {
  /** Changes what the gateway answers, on its way to the page. */
  async function lie(path: RegExp, change: (body: Buffer) => Buffer | string): Promise<string[]> {
    const { page } = here;
    const answer = async (route: Route): Promise<void> => {
      // Whole, also where the page has it already: nothing can be changed in "304".
      const { "if-none-match": _known, ...headers } = route.request().headers();
      const response = await route.fetch({ headers });
      await route.fulfill({ response, body: change(await response.body()) });
    };
    await page.route(path, answer);
    await page.goto(`${here.city.url}${deal}/tasks/0`);
    const failed = await verify(page);
    await page.unrouteAll({ behavior: "wait" });
    expect(await page.getByText("It does not hold. Do not rely on this result.").isVisible()).toBe(true);
    quiet(here);
    return failed;
  }

  test("about a result", async () => {
    const failed = await lie(/\/results\/0$/, (body) => {
      body[body.length - 2]! ^= 1;
      return body;
    });
    expect(failed).toEqual(["The output is the one that the receipt names"]);
  });

  test("about a proof", async () => {
    const failed = await lie(/\/results\/0$/, (body) => {
      const trace = readBundle(new Uint8Array(body)).receipts[0]!.traceDigest;
      body[body.indexOf(fromHex(trace))]! ^= 1;
      return body;
    });
    expect(failed).toEqual(["The receipt stands at its place under the certified root"]);
  });

  test("about a contributor", async () => {
    const failed = await lie(/\/api\/v1\/.*\/tasks\/0$/, (body) => {
      const said = JSON.parse(body.toString()) as { batch: { certificate: { members: { worker: string }[] } } };
      said.batch.certificate.members[0]!.worker = here.wallet.account.address;
      return JSON.stringify(said);
    });
    expect(failed).toEqual(["The contributors are those that were certified"]);
  });
});

test("photos get their scores, each of them a task", async () => {
  const { page, city } = here;
  await page.goto(`${city.url}/run?confidence=9`);
  await page.getByLabel("App", { exact: true }).selectOption({ label: "image-class" });
  await page.getByLabel("Dataset").selectOption({ label: "open-nsfw" });
  const photos = ["astronaut.png", "coffee.png"].map((name) => join(ASSETS, "photos", name));
  await page.locator("input[type=file]").setInputFiles(photos);
  await page.getByRole("button", { name: /^Order 2 tasks/ }).click();
  await page.waitForURL(/\/deals\/0x[0-9a-f]{64}$/);
  await certified(page);
  await page.getByRole("button", { name: "Show its result" }).click();
  await page.locator("img.source").waitFor();
  expect(await verify(page)).toEqual([]);
  await page.evaluate(() => scrollTo(0, 0));
  // The README's picture.
  await page.screenshot({
    path: `${SHOTS}/city-photo.png`,
    clip: { x: 0, y: 0, width: 1280, height: 1500 },
    fullPage: true,
  });
  quiet(here);
});

/** What the chain has of the visitor: balance, locked, nonce. */
async function holdings(): Promise<unknown> {
  const answer = await fetch(`${here.city.url}/api/v1/accounts/${here.wallet.account.address}`);
  return ((await answer.json()) as { now: unknown }).now;
}

test("a refusal in the wallet is told, and costs nothing", async () => {
  const { page, wallet } = here;
  const before = await holdings();
  wallet.refuses = true;
  await pressOrder(here, "no");
  await page.getByText("You said no in the wallet").waitFor();
  wallet.refuses = false;
  expect(await holdings()).toEqual(before);
  quiet(here);
});

test("a reload at any moment costs nothing that was not sent, and loses nothing that was", async () => {
  const { page, city, wallet } = here;
  const before = await holdings();
  const signing = wallet.hold("eth_signTypedData_v4");
  await pressOrder(here, "never signed for");
  await signing.asked;
  await page.reload();
  signing.answer();
  await page.getByText("Give it something to work on.").waitFor();
  expect(await holdings()).toEqual(before);

  const sending = wallet.hold("eth_sendTransaction");
  await pressOrder(here, "sent by the wallet when the page was gone");
  await sending.asked;
  await page.goto(`${city.url}/deals?requester=${wallet.account.address}`);
  const rows = page.locator("tbody tr");
  await rows.first().waitFor();
  const known = await rows.count();
  sending.answer();
  await rows.nth(known).waitFor();
  await rows.first().getByRole("link").first().click();
  await page.waitForURL(/\/deals\/0x[0-9a-f]{64}$/);
  for (let moment = 0; moment < 3; moment++) {
    await page.reload();
    await page.getByRole("heading", { level: 1 }).waitFor();
  }
  await certified(page);
  await page.reload();
  await page.getByRole("button", { name: "Show its result" }).click();
  await page.getByRole("button", { name: "Verify here" }).click();
  await page.reload();
  expect(await verify(page)).toEqual([]);
  quiet(here);
});

test("five hundred tasks in one deal: a reload in the middle changes nothing", async () => {
  const { page, city } = here;
  await page.goto(`${city.url}/run?confidence=9`);
  await page.getByLabel("App", { exact: true }).selectOption({ label: "wordcount" });
  await page.getByText("More to choose").click();
  await page.getByLabel("Limit of an execution").selectOption({ label: "100 M fuel" });
  const files = Array.from({ length: 500 }, (_, at) => ({
    name: `text-${at}.txt`,
    mimeType: "text/plain",
    buffer: Buffer.from(`word ${at}`),
  }));
  await page.locator("input[type=file]").setInputFiles(files);
  await page.getByRole("button", { name: /^Order 500 tasks/ }).click();
  await page.waitForURL(/\/deals\/0x[0-9a-f]{64}$/);
  await page.reload();
  await page.getByRole("heading", { name: "500 tasks" }).waitFor();
  await certified(page);
  await page.getByText("500of 500").waitFor();
  await page.getByLabel("Number of a task").fill("499");
  await page.getByRole("button", { name: "Show its result" }).click();
  await page.getByText("1 499").waitFor();
  expect(await verify(page)).toEqual([]);
  expect(await violations(page)).toEqual([]);
  quiet(here);
});

test("a gateway is killed under an open page: the page tells what happened meanwhile once it is back", async () => {
  const gateway = await here.city.gateway();
  const page = await (await here.context.browser()!.newContext()).newPage();
  await page.goto(`${gateway.url}/deals`);
  await page.locator(`a[href="${deal}"]`).first().waitFor();
  await gateway.kill();
  await page.getByText("The gateway does not answer. Chain and pools work without it.").waitFor();
  const meanwhile = await orderText(here, "without that gateway");
  await certified(here.page);
  expect(await page.locator(`a[href="${meanwhile}"]`).count()).toBe(0);
  await gateway.start();
  await page.locator(`a[href="${meanwhile}"]`).first().waitFor();
  await page.getByText("The gateway does not answer.").waitFor({ state: "detached" });
  await gateway.kill();
  await page.context().close();
  quiet(here);
});

test("the city is killed under an open page: the page says so, and goes on when the city does", async () => {
  const { page, city } = here;
  await page.goto(city.url);
  await page.getByText("Latest certificates").waitFor();
  await city.kill();
  await page.getByText("The gateway does not answer. Chain and pools work without it.").waitFor();
  await page.getByText("Shown as it was last known").first().waitFor();
  await city.start();
  await page.getByText(/^Chain \d+, block/).waitFor();
  await page.getByText("Shown as it was last known").first().waitFor({ state: "detached" });
  here.complaints.length = 0;
  const again = await orderText(here, "after the night");
  await certified(page);
  expect(again).not.toBe(deal);
  quiet(here);
});
