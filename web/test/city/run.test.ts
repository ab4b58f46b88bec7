/** From a choice to a certificate, with a wallet that signs for real; verified in the page, and not believed where the gateway lies. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Locator, Request, Route } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { big, type About, type CertificateRow, type ChainEvent } from "../../src/api/types";
import { showTokens, thousands } from "../../src/lib/format";
import { fromHex } from "../../src/protocol/bytes";
import { readBundle } from "../../src/verify/bundle";
import { SHOTS, violations } from "../pages/browser";
import { ASSETS } from "./city";
import { falseNode, type FalseNode } from "./node";
import {
  asks,
  certified,
  drop,
  guest,
  orderText,
  PATIENCE_MS,
  payIn,
  pressOrder,
  quiet,
  verify,
  visit,
  watch,
  type Visit,
} from "./visit";
import { NAME } from "./wallet";

const LONG = { timeout: PATIENCE_MS, interval: 100 };

let here: Visit;
let deal: string;

beforeAll(async () => {
  here = await visit();
});
afterAll(() => here?.close());

const asked = <T>(path: string): Promise<T> => asks<T>(here, path);

test("the first load is small, and soon there", async () => {
  const browser = here.context.browser()!;
  const waits: number[] = [];
  // The quickest of a few: others use this machine, too.
  for (let load = 0; load < 10 && (load < 3 || Math.min(...waits) >= 1_000); load++) {
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
  expect(Math.min(...waits)).toBeLessThan(1_000);
});

test("a visitor pays in", async () => {
  await payIn(here, 2_000);
  expect(here.wallet.asked.map((one) => one.method)).toEqual(["eth_sendTransaction", "eth_sendTransaction"]);
  quiet(here);
});

test("a text is ordered with one signature and one transaction, and its certificate comes up in every page", async () => {
  const elsewhere = await here.context.newPage();
  await elsewhere.goto(here.city.url);
  const latest = elsewhere.getByRole("region", { name: "Latest certificates" });
  await latest.waitFor();
  await elsewhere.evaluate(() => Object.assign(globalThis, { neverReloaded: true }));

  here.wallet.asked.length = 0;
  deal = await orderText(here, "one two two");
  expect(here.wallet.asked.map((one) => one.method)).toEqual(["eth_signTypedData_v4", "eth_sendTransaction"]);
  await certified(here.page);
  expect(await violations(here.page)).toEqual([]);

  await latest.locator(`a[href="${deal}"]`).waitFor({ timeout: PATIENCE_MS });
  expect(await elsewhere.evaluate(() => "neverReloaded" in globalThis)).toBe(true);
  await elsewhere.close();
  quiet(here);
});

test("its pages tell of everything from the order to the payout: when, for how much gas, and who earned what", async () => {
  const { page, city } = here;
  const { items } = await asked<{ items: ChainEvent[] }>(`${deal}/events`);
  const moments = page.locator(".timeline li");
  await page.goto(city.url + deal);
  await moments.filter({ hasText: "fees paid out" }).waitFor();
  const titles = await moments.locator("b").allTextContents();
  expect(titles[0]).toBe("Matched and paid for");
  expect(titles).toContain("Certified");
  for (const [name, title] of [
    ["DealOpened", "Matched and paid for"],
    ["Certified", "Certified"],
  ] as const) {
    const event = items.find((one) => one.name === name)!;
    const { gasUsed, blockNumber } = await city.node().getTransactionReceipt({ hash: event.transaction });
    const { timestamp } = await city.node().getBlock({ blockNumber });
    const moment = moments.filter({ has: page.getByText(title, { exact: true }) });
    await moment.getByText(`${thousands(gasUsed)} gas`, { exact: true }).waitFor();
    const when = await moment.locator("time").getAttribute("datetime");
    expect(Date.parse(when!)).toBe(Number(timestamp) * 1_000);
  }

  await page.goto(`${city.url}${deal}/batches/0`);
  const rows = page.getByRole("region", { name: "Who contributed what" }).locator("tbody tr");
  await rows.first().waitFor();
  const { certificate } = await asked<{ certificate: CertificateRow }>(`${deal}/batches/0`);
  const earned = certificate.members.filter((member) => big(member.earned) > 0n);
  expect(earned.length).toBeGreaterThan(0);
  for (const member of earned) {
    const row = rows.filter({ has: page.locator(`a[href$="${member.worker.toLowerCase()}" i]`) });
    await row.getByText("agrees", { exact: true }).waitFor();
    expect(await row.locator("td").nth(3).textContent()).toBe(showTokens(big(member.earned)));
    expect(await row.locator("td").nth(4).textContent()).toBe("–");
  }
  // All that workers earned was paid by this deal, and the pool and the app had their share of it.
  const sum = earned.reduce((all, member) => all + big(member.earned), 0n);
  expect(sum).toBeLessThan(big((await asked<{ paid: string }>(deal)).paid));
  quiet(here);
});

test("its result is there, and every step of its verification holds", async () => {
  const { page } = here;
  await page.goto(here.city.url + deal);
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

/** Changes what the gateway answers, on its way to the page, until the answer is called. */
async function between(path: RegExp, change: (body: Buffer) => Buffer | string): Promise<() => Promise<void>> {
  const answer = async (route: Route): Promise<void> => {
    // Whole, also where the page has it already: nothing can be changed in "304".
    const { "if-none-match": _known, ...headers } = route.request().headers();
    const response = await route.fetch({ headers });
    await route.fulfill({ response, body: change(await response.body()) });
  };
  await here.page.route(path, answer);
  return () => here.page.unrouteAll({ behavior: "wait" });
}

describe("the chain is read elsewhere than the gateway says", () => {
  let liar: FalseNode;
  let honest: () => Promise<void>;
  beforeAll(async () => {
    liar = await falseNode(here.city.rpc);
    honest = await between(/\/api\/v1\/about$/, (body) => {
      return JSON.stringify({ ...(JSON.parse(body.toString()) as About), rpc: liar.url });
    });
  });
  afterAll(async () => {
    await honest();
    await liar.close();
  });

  test("through the reader's wallet, unless they say otherwise", async () => {
    const { page, city, wallet } = here;
    await page.goto(`${city.url}${deal}/tasks/0`);
    expect(await page.getByRole("radio", { name: NAME }).isChecked()).toBe(true);
    expect(await page.getByLabel("Node (JSON-RPC)").count()).toBe(0);
    wallet.read.length = 0;
    const asked: string[] = [];
    const listen = (request: Request): void => void asked.push(new URL(request.url()).origin);
    page.on("request", listen);
    expect(await verify(page)).toEqual([]);
    await page.getByText("It holds: every step was recomputed here.").waitFor();
    page.off("request", listen);
    expect(wallet.read).toContain("eth_call");
    expect(wallet.read).toContain("eth_getTransactionByHash");
    // No node but the wallet's own, which asks outside of the page.
    expect(asked.filter((origin) => origin !== city.url)).toEqual([]);
    expect(liar.asked).toEqual([]);
    quiet(here);
  });

  test("through a node of their choice, and not the one that the gateway names", async () => {
    const { page, city } = here;
    await page.goto(`${city.url}${deal}/tasks/0`);
    await page.getByRole("radio", { name: "A node" }).check();
    const field = page.getByLabel("Node (JSON-RPC)");
    expect(await field.inputValue()).toBe(liar.url);
    await page.getByText("This site names it.").waitFor();
    // A node that lies together with its gateway proves nothing: what is claimed has to be what it holds.
    expect(await verify(page)).toEqual(["The certificate is the one that the chain holds"]);
    expect(liar.asked).toContain("eth_call");
    expect(here.complaints.splice(0)).toEqual(liar.asked.map(() => `asked ${liar.url}/`));

    // What is taken out stays out: the gateway's proposal does not come back by itself.
    await field.fill("");
    await page.getByText("Only this node is asked, and only now.").waitFor();
    expect(await field.inputValue()).toBe("");
    expect(await page.getByRole("button", { name: "Verify here" }).isDisabled()).toBe(true);
    liar.asked.length = 0;
    await field.fill(city.rpc);
    const asked = page.waitForRequest((request) => request.url().startsWith(city.rpc));
    expect(await verify(page)).toEqual([]);
    await page.getByText("It holds: every step was recomputed here.").waitFor();
    await asked;
    expect(liar.asked).toEqual([]);

    // It is remembered, whatever the gateway names next time.
    await page.reload();
    await page.getByRole("radio", { name: "A node" }).check();
    expect(await field.inputValue()).toBe(city.rpc);
    quiet(here);
  });
});

describe("verification fails where the gateway lies", () => {
  async function lie(path: RegExp, change: (body: Buffer) => Buffer | string): Promise<string[]> {
    const { page } = here;
    const honest = await between(path, change);
    await page.goto(`${here.city.url}${deal}/tasks/0`);
    const failed = await verify(page);
    await honest();
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
  await drop(page, page.getByRole("group", { name: "Drop photos or other files" }), photos);
  await page.getByRole("button", { name: "Remove coffee.png" }).waitFor();
  const watched = await watch(page);
  await page.getByRole("button", { name: /^Order 2 tasks/ }).click();
  await page.waitForURL(/\/deals\/0x[0-9a-f]{64}$/);
  const path = new URL(page.url()).pathname;
  await certified(page);
  await page.getByText("The certificate stands on chain.").waitFor();
  const { steps, chamber } = await watched();
  expect(steps.filter((step) => step.endsWith("took its seat and executes"))).not.toEqual([]);
  expect(steps.filter((step) => step.endsWith("has shown its claim"))).not.toEqual([]);
  const odds = chamber.map((said) => Number(/ ([\d.,]+):1 of 9:1\.$/.exec(said)![1]!.replaceAll(",", "")));
  expect(odds[0]).toBeLessThan(9);
  expect(odds.at(-1)).toBeGreaterThanOrEqual(9);
  expect(odds).toEqual([...odds].sort((a, b) => a - b));
  await page.getByRole("button", { name: "Show its result" }).click();
  await page.locator("img.source").waitFor();
  const bundle = await fetch(`${city.url}/api/v1${path}/results/0`);
  const output = readBundle(new Uint8Array(await bundle.arrayBuffer())).outputs[0]! as { bytes: Uint8Array };
  const { score } = JSON.parse(Buffer.from(output.bytes).toString()) as { score: number };
  expect(score).toBeGreaterThan(0);
  expect(score).toBeLessThan(1);
  const shown = page.locator(".output dl > div").filter({ hasText: "score" }).locator("dd");
  expect(await shown.textContent()).toBe(String(score));
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download", exact: true }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("task-0");
  expect(readFileSync(await download.path()).equals(output.bytes)).toBe(true);
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

test("with the keyboard alone one chooses, says how sure, orders, and verifies", async () => {
  const { page, city } = here;
  /** Goes on from wherever the keyboard is. */
  const tabTo = async (target: Locator): Promise<void> => {
    for (let presses = 0; presses < 80; presses++) {
      if (await target.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`the keyboard does not come to ${target}`);
  };
  const figure = (name: string): Locator => page.locator("dl > div").filter({ hasText: name }).locator("dd");
  const quoted = async (): Promise<string> =>
    `${await figure("Executions of each task").textContent()}, ${await figure("Price to expect").textContent()}`;
  const query = (): URLSearchParams => new URL(page.url()).searchParams;
  const pressed = async (key: string, times: number): Promise<void> => {
    for (let press = 0; press < times; press++) await page.keyboard.press(key);
  };

  await page.goto(`${city.url}/run?confidence=9`);
  const app = page.getByLabel("App", { exact: true });
  await app.getByRole("option", { name: "wordcount" }).waitFor({ state: "attached" });
  await tabTo(app);
  await page.keyboard.type("wordcount");
  await expect.poll(() => app.locator("option:checked").textContent(), LONG).toBe("wordcount");
  await tabTo(page.getByLabel("Or a text"));
  await page.keyboard.type("keys and no mouse");
  const slider = page.getByLabel("Odds that a result is right");
  await tabTo(slider);
  await figure("Price to expect").waitFor();
  const little = await quoted();

  await pressed("ArrowRight", 5);
  expect(query().get("confidence")).toBe("32");
  await pressed("ArrowRight", 15);
  expect(query().get("confidence")).toBe("999");
  expect(await slider.getAttribute("aria-valuetext")).toBe("999 to one");
  await page.getByText("one result in 1,000 may be wrong").waitFor();
  await page.getByRole("button", { name: "Order 1 task at 999:1" }).waitFor();
  await expect.poll(quoted, LONG).not.toBe(little);
  const amount = async (name: string): Promise<number> =>
    parseFloat((await figure(name).textContent())!.replace(/[^\d.]/g, ""));
  const much = [await amount("Executions of each task"), await amount("Price to expect")] as const;
  await pressed("ArrowLeft", 20);
  expect(query().get("confidence")).toBe("9");
  await expect.poll(quoted, LONG).toBe(little);
  expect(much[0]).toBeGreaterThan(await amount("Executions of each task"));
  expect(much[1]).toBeGreaterThan(await amount("Price to expect"));

  const order = page.getByRole("button", { name: "Order 1 task at 9:1" });
  await expect.poll(() => order.isEnabled(), LONG).toBe(true);
  await tabTo(order);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/deals\/0x[0-9a-f]{64}$/);
  await certified(page);
  await tabTo(page.getByRole("button", { name: "Show its result" }));
  await page.keyboard.press("Enter");
  const button = page.getByRole("button", { name: "Verify here" });
  await button.waitFor();
  await tabTo(button);
  await page.keyboard.press("Enter");
  // The verdict has the keyboard, so that a screen reader says it.
  await page.getByText("It holds: every step was recomputed here.").and(page.locator(":focus")).waitFor();
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
  // Not the least: a wave is as long as the limit says, and a slow machine has thirty-two batches to execute.
  await page.getByLabel("Limit of an execution").selectOption({ label: "1 G fuel" });
  const files = Array.from({ length: 500 }, (_, at) => ({
    name: `text-${at}.txt`,
    mimeType: "text/plain",
    buffer: Buffer.from(`word ${at}`),
  }));
  await page.locator("input[type=file]").setInputFiles(files);
  await page.getByRole("button", { name: /^Order 500 tasks/ }).click();
  await page.waitForURL(/\/deals\/0x[0-9a-f]{64}$/);
  await page.reload();
  const watched = await watch(page);
  await page.getByRole("heading", { name: "500 tasks" }).waitFor();
  await certified(page);
  // Of thirty-two rounds some worker's commitment was to be seen before it was shown.
  const { steps } = await watched();
  expect(steps.filter((step) => step.endsWith("has executed and committed"))).not.toEqual([]);
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
