/** Every page in light and dark, on a desk and on a phone: it says what it should, breaks no rule of access, and is kept as a picture. */

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

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
    expect(complaints).toEqual([]);
    await context.close();
  });
});

test.each(PLACES)("%s on a phone is no wider than it", async (name, path, shows) => {
  const { page, complaints, context } = await open(path(), { phone: true });
  await see(page, shows, complaints);
  await page.screenshot({ path: `${SHOTS}/${name}-phone.png`, fullPage: true });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
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
