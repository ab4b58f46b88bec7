/** A visit to a city: a browser with a wallet in it, and what the page complained of. */

import type { BrowserContext, Locator, Page } from "playwright-core";
import { expect } from "vitest";

import { launch } from "../pages/browser";
import { City } from "./city";
import { inject, NAME, type Wallet } from "./wallet";

/** Certifying takes seconds; on a busy machine more. */
export const PATIENCE_MS = 150_000;

export interface Visit {
  readonly city: City;
  readonly context: BrowserContext;
  readonly page: Page;
  readonly wallet: Wallet;
  /** What should not have happened in any page: errors, requests to elsewhere, refusals by the policy. */
  readonly complaints: string[];
  close(): Promise<void>;
}

function listen(context: BrowserContext, city: City): string[] {
  const complaints: string[] = [];
  const own = [city.url, city.rpc].map((url) => new URL(url).origin);
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("console", (message) => {
    // A gateway that is down, or has nothing at a path, is told to the console by the browser itself.
    const byBrowser = /^Failed to load resource/.test(message.text());
    if (message.type() === "error" && !byBrowser) complaints.push(message.text());
  });
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "blob:" && !own.includes(url.origin)) complaints.push(`asked ${request.url()}`);
  });
  return complaints;
}

/** Founds a city and comes to it with a wallet that holds five thousand tokens. */
export async function visit(): Promise<Visit> {
  const city = await City.found();
  const browser = await launch();
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const complaints = listen(context, city);
  const wallet = await inject(context, city.rpc, await city.visitor(5_000n));
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return {
    city,
    context,
    page,
    wallet,
    complaints,
    async close() {
      await browser.close();
      await city.close();
    },
  };
}

/** Somebody else in the same city, whose browser has no wallet. */
export async function guest(visit: Visit): Promise<Visit> {
  const context = await visit.context.browser()!.newContext();
  const complaints = listen(context, visit.city);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return { ...visit, context, page, complaints, close: () => context.close() };
}

/** What the gateway answers at a path. */
export async function asks<T>({ city }: Visit, path: string): Promise<T> {
  return (await (await fetch(`${city.url}/api/v1${path}`)).json()) as T;
}

/** Drags files over an element and lets them fall, as the browser's own drag and drop does it. */
export async function drop(page: Page, onto: Locator, files: readonly string[]): Promise<void> {
  await onto.scrollIntoViewIfNeeded();
  const box = (await onto.boundingBox())!;
  const devtools = await page.context().newCDPSession(page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const data = { items: [], files: [...files], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await devtools.send("Input.dispatchDragEvent", { type, ...at, data });
  }
  await devtools.detach();
}

/** Connects the wallet and pays into the Vault. */
export async function payIn({ page, city }: Visit, tokens: number): Promise<void> {
  await page.goto(`${city.url}/account`);
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByRole("button", { name: NAME }).click();
  await page.getByLabel("Amount").fill(`${tokens}`);
  await page.getByRole("button", { name: "Pay in" }).click();
  await page.getByText("Paid in").waitFor();
}

/** Chooses an app and a text for one task, and presses the button that orders it. */
export async function pressOrder({ page, city }: Visit, text: string, app = "wordcount", query = ""): Promise<void> {
  // Little confidence: where a slow machine's round is drawn anew, the workers can still reach four times as much, and more.
  await page.goto(`${city.url}/run?confidence=9${query}`);
  await page.getByLabel("App", { exact: true }).selectOption({ label: app });
  await page.getByLabel("Or a text").fill(text);
  await page.getByRole("button", { name: /^Order 1 task/ }).click();
}

/** Orders one task of an app on a text; answers the path of the deal. */
export async function orderText(visit: Visit, text: string, app?: string, query?: string): Promise<string> {
  const { page } = visit;
  await pressOrder(visit, text, app, query);
  await page.waitForURL(/\/deals\/0x[0-9a-f]{64}$/);
  return new URL(page.url()).pathname;
}

/** Waits until the page of a deal says that all of it is certified. */
export async function certified(page: Page): Promise<void> {
  await page.locator(".head").getByText("certified", { exact: true }).waitFor();
}

/** What a page showed of a live round, in the order in which it came. */
export interface Watched {
  /** Each worker with each step that stood beside it. */
  readonly steps: readonly string[];
  /** What the chamber said: seats, odds. */
  readonly chamber: readonly string[];
}

/** Looks at the live round from now on, whatever comes and goes between two looks of a test; answers what was there to see. */
export async function watch(page: Page): Promise<() => Promise<Watched>> {
  const watched = await page.evaluateHandle(() => {
    const [steps, chamber] = [new Set<string>(), new Set<string>()];
    const look = (): void => {
      for (const line of document.querySelectorAll(".live .members li")) {
        const worker = line.querySelector("a")!.getAttribute("href")!.split("/").at(-1)!;
        steps.add(`${worker} ${line.querySelector("span.soft")!.textContent!.trim()}`);
      }
      const said = document.querySelector(".live svg[role=img]")?.getAttribute("aria-label");
      if (said) chamber.add(said);
    };
    new MutationObserver(look).observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
    });
    return { steps, chamber };
  });
  return () => watched.evaluate(({ steps, chamber }) => ({ steps: [...steps], chamber: [...chamber] }));
}

/** Presses "Verify here"; answers the steps that failed. */
export async function verify(page: Page): Promise<string[]> {
  await page.getByRole("button", { name: "Verify here" }).click();
  await page.getByText(/It holds: every step|It does not hold|Nothing is wrong, but/).waitFor();
  return page.locator("li.fails b").allTextContents();
}

/** Nothing was complained of up to here. */
export function quiet(visit: Visit): void {
  expect(visit.complaints.splice(0)).toEqual([]);
}
