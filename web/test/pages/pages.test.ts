/** Every page in light and dark, on a desk and on a phone: it says what it should, breaks no rule of access, and is kept as a picture. */

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { big, type CertificateRow } from "../../src/api/types";
import { showTokens, showUnits } from "../../src/lib/format";
import { START, WORKERS } from "../world";
import { makeCity, type City } from "./answers";
import { launch, SHOTS, violations } from "./browser";
import { serve, type Pages } from "./server";

let browser: Browser;
let city: City;
let pages: Pages;

beforeAll(async () => {
  city = await makeCity();
  pages = await serve(city);
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await pages?.close();
});

interface View {
  readonly theme?: "light" | "dark";
  readonly phone?: boolean;
}

/** A page at this path, with the clock standing still, and everything that it complained of. */
async function open(
  path: string,
  { theme = "light", phone = false }: View = {},
): Promise<{ page: Page; complaints: string[]; context: BrowserContext }> {
  const viewport = phone ? { width: 390, height: 844 } : { width: 1280, height: 900 };
  const context = await browser.newContext({
    viewport,
    colorScheme: theme,
    reducedMotion: "reduce",
    deviceScaleFactor: phone ? 2 : 1,
    timezoneId: "UTC",
    locale: "en-GB",
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "blob:" && url.origin !== pages.url) complaints.push(`asked ${request.url()}`);
  });
  await page.clock.setFixedTime(START * 1000);
  await page.goto(pages.url + path);
  return { page, complaints, context };
}

/** Waits for a text; where it does not come, says what stands there instead. */
async function see(page: Page, text: string, complaints: readonly string[]): Promise<void> {
  try {
    await page.getByText(text).first().waitFor({ timeout: 15_000 });
  } catch {
    const body = await page.locator("body").innerText();
    throw new Error(`no "${text}" on the page: ${complaints.join(" | ")} ${body.slice(0, 600)}`);
  }
}

const deal = (at: number): string => city.certified[at]!.terms.dealId;
const PLACES: readonly (readonly [name: string, path: () => string, shows: string])[] = [
  ["now", () => "/", "Latest certificates"],
  ["run", () => "/run?dataset=3", "Price to expect"],
  ["market", () => "/market", "image-class"],
  ["orders", () => "/market?side=orders", "Tasks left"],
  ["publish", () => "/market?side=publish", "Drop a WebAssembly module"],
  ["asset", () => "/market/apps/1", "Content id"],
  ["deals", () => "/deals", "Certified of tasks"],
  ["deal", () => `/deals/${deal(0)}`, "Certified"],
  ["deal-running", () => `/deals/${city.running.dealId}`, "has executed and committed"],
  ["batch", () => `/deals/${deal(0)}/batches/0`, "Stake behind it"],
  ["task", () => `/deals/${deal(0)}/tasks/1`, "0.0213"],
  ["workers", () => "/workers", "Reputation"],
  ["worker", () => `/workers/${WORKERS[2]!.address}`, "At risk now"],
  ["pools", () => "/pools", "Old Town"],
  ["pool", () => "/pools/1", "Share of fees"],
  ["account", () => "/account", "No wallet is connected"],
  ["nowhere", () => "/nowhere", "There is no page here"],
];

describe.each(["light", "dark"] as const)("in %s", (theme) => {
  test.each(PLACES)("%s", async (name, path, shows) => {
    const { page, complaints, context } = await open(path(), { theme });
    await see(page, shows, complaints);
    await page.screenshot({ path: `${SHOTS}/${name}-${theme}.png`, fullPage: true });
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(1280);
    expect(complaints).toEqual([]);
    await context.close();
  });
});

test.each(PLACES)("%s is no wider than a phone, and in the middle of a wide screen", async (name, path, shows) => {
  const { page, complaints, context } = await open(path(), { phone: true });
  await see(page, shows, complaints);
  await page.screenshot({ path: `${SHOTS}/${name}-phone.png`, fullPage: true });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await page.setViewportSize({ width: 1920, height: 1080 });
  const [whole, left, right] = await page.evaluate(() => {
    const main = document.querySelector("main")!;
    const [box, style] = [main.getBoundingClientRect(), getComputedStyle(main)];
    const wide = document.documentElement;
    const inner = [box.left + parseFloat(style.paddingLeft), box.right - parseFloat(style.paddingRight)] as const;
    return [wide.scrollWidth, inner[0], wide.clientWidth - inner[1]] as const;
  });
  expect(whole).toBe(1920);
  // Lines that one can read: the page does not go from edge to edge, and leaves the same on both sides.
  expect(left).toBeGreaterThan(200);
  expect(Math.abs(left - right)).toBeLessThan(1);
  await context.close();
});

test("a result is verified here, and a false one is shown as false", async () => {
  const { page, complaints, context } = await open(`/deals/${deal(0)}/tasks/1`);
  await page.getByRole("button", { name: "Verify here" }).click();
  await page.getByText("It holds: every step was recomputed here.").waitFor();
  await page.screenshot({ path: `${SHOTS}/verified-light.png`, fullPage: true });
  expect(await violations(page)).toEqual([]);
  pages.lie = (path, answer) => {
    if (!/\/tasks\/1$/.test(path)) return answer;
    const said = answer as { batch: { certificate: { members: { worker: string }[] } } };
    said.batch.certificate.members[0]!.worker = WORKERS[0]!.address;
    return said;
  };
  await page.reload();
  await page.getByRole("button", { name: "Verify here" }).click();
  await page.getByText("It does not hold. Do not rely on this result.").waitFor();
  expect(await page.locator("li.fails b").textContent()).toBe("The contributors are those that were certified");
  await page.screenshot({ path: `${SHOTS}/refuted-light.png`, fullPage: true });
  expect(await violations(page)).toEqual([]);
  pages.lie = (_, answer) => answer;
  expect(complaints).toEqual([]);
  await context.close();
});

test("a page whose gateway is down says so, and one that waits says for what", async () => {
  pages.mode = "broken";
  const broken = await open("/workers");
  await broken.page.getByText("Could not read the workers").waitFor();
  await broken.page.screenshot({ path: `${SHOTS}/failing-light.png` });
  expect(await violations(broken.page)).toEqual([]);
  await broken.context.close();
  pages.mode = "silent";
  const silent = await open("/workers");
  await silent.page.getByText("Reading the workers").waitFor();
  await silent.page.screenshot({ path: `${SHOTS}/loading-light.png` });
  expect(await violations(silent.page)).toEqual([]);
  pages.mode = "recorded";
  await silent.context.close();
});

test("what was read of a list stays when the city changes, whole and in its order", async () => {
  const { items } = city.answer("/workers", new URLSearchParams()) as { items: { address: string }[] };
  const all = items.map((one) => one.address);
  let order = [0, 1, 2, 3, 4, 5, 6, 7];
  pages.lie = (path, answer, query) => {
    if (path !== "/workers") return answer;
    const from = Number(query.get("cursor") ?? 0);
    const next = from + 3 < order.length ? String(from + 3) : null;
    return { items: order.slice(from, from + 3).map((at) => items[at]), next };
  };
  const { page, complaints, context } = await open("/pools/1");
  const rows = page.locator("tbody a[href^='/workers/']");
  const shown = async (): Promise<number[]> =>
    (await rows.evaluateAll((links) => links.map((link) => link.getAttribute("href")!.slice(9)))).map((address) =>
      all.indexOf(address),
    );
  await page.getByText("of the worker in the middle of the 3 below").waitFor();
  await page.getByRole("button", { name: "Show more" }).click();
  await rows.nth(5).waitFor();
  expect(await shown()).toEqual([0, 1, 2, 3, 4, 5]);
  // Somebody new at the beginning: everybody moves by one, over the ends of the pages.
  order = [8, ...order];
  pages.tell("pool:1");
  await expect.poll(shown, { timeout: 15_000 }).toEqual([8, 0, 1, 2, 3, 4]);
  await page.getByRole("button", { name: "Show more" }).click();
  await page.getByText("of its worker in the middle").waitFor();
  expect(await shown()).toEqual([8, 0, 1, 2, 3, 4, 5, 6, 7]);
  // Fewer than before are as few as there are.
  order = [3, 5, 7, 1];
  pages.tell("pool:1");
  await expect.poll(shown, { timeout: 15_000 }).toEqual(order);
  pages.lie = (_, answer) => answer;
  expect(complaints).toEqual([]);
  await context.close();
});

test("who found something else is shown with what it lost, and who was right with what it earned", async () => {
  const { page, context } = await open(`/deals/${deal(0)}/batches/0`);
  const { certificate } = city.answer(`/deals/${deal(0)}/batches/0`, new URLSearchParams()) as {
    certificate: CertificateRow;
  };
  const cells = page.getByRole("region", { name: "Who contributed what" }).locator("tbody tr");
  await cells.first().waitFor();
  const read = await cells.evaluateAll((rows) =>
    rows.map((row) => [...row.querySelectorAll("td")].slice(3, 5).map((cell) => cell.textContent)),
  );
  expect(read).toEqual(
    certificate.members.map(({ earned, slash }) => [
      big(earned) > 0n ? showTokens(big(earned)) : "–",
      big(slash) > 0n ? showUnits(big(slash)) : "–",
    ]),
  );
  // Of both there is one, or nothing was compared.
  expect(read.some(([earned]) => earned !== "–")).toBe(true);
  expect(read.some(([, lost]) => lost !== "–")).toBe(true);
  await context.close();
});

test("a city without anything tells what to do", async () => {
  const empty = await serve(await makeCity(true));
  for (const path of ["/", "/deals", "/workers", "/pools", "/market", "/run"]) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    await page.goto(empty.url + path);
    await page.locator(".notice.empty").first().waitFor();
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: `${SHOTS}/empty-${path.slice(1) || "now"}-light.png` });
    await context.close();
  }
  await empty.close();
});

test("the keyboard is enough to get about", async () => {
  const { page, context } = await open("/");
  await page.getByText("Latest certificates").waitFor();
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the page");
  await page.getByRole("link", { name: "Workers", exact: true }).focus();
  await page.keyboard.press("Enter");
  // The keyboard goes to the new page's heading, which is how a screen reader tells of it.
  await page.getByRole("heading", { level: 1, name: "Workers" }).and(page.locator(":focus")).waitFor();
  await page.waitForFunction(() => document.title === "Workers · Guildhall");
  await page.goBack();
  await page.getByText("Latest certificates").waitFor();
  await context.close();
});
