/** What owners do from the pages, with a wallet that signs for real: publish, stake, dispute; and every page once, as it is in a city. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, expect, test } from "vitest";

import type { Account } from "../../src/api/types";
import { SHOTS, violations } from "../pages/browser";
import { APPS } from "./city";
import { asks, certified, orderText, PATIENCE_MS, payIn, quiet, visit, type Visit } from "./visit";

let here: Visit;
/** The machine that joins, and leaves. */
const worker = privateKeyToAccount(generatePrivateKey());
/** Deals of what was published here. */
let [counted, measured] = ["", ""];

beforeAll(async () => {
  here = await visit();
  await payIn(here, 2_000);
});
afterAll(() => here?.close());

const asked = <T>(path: string): Promise<T> => asks<T>(here, path);

/** A module that nobody has registered: a section of its own makes it another one. */
function moduleOf(name: string): { name: string; mimeType: string; buffer: Buffer } {
  const section = [0, name.length + 1, name.length, ...Buffer.from(name)];
  const buffer = Buffer.concat([readFileSync(join(APPS, "wordcount.wasm")), Buffer.from(section)]);
  return { name: `${name}.wasm`, mimeType: "application/wasm", buffer };
}

const methods = (): string[] => here.wallet.asked.map((one) => one.method);

test("an app is published: stored, registered, offered, executed for whoever orders it, and offered anew", async () => {
  const { page, city, context } = here;
  // Two pages that stay open and are never loaded again: what is for sale comes and goes in them by itself.
  const [apps, book] = [await context.newPage(), await context.newPage()];
  await apps.goto(`${city.url}/market`);
  await book.goto(`${city.url}/market?side=orders&kind=app`);
  for (const open of [apps, book]) {
    open.setDefaultTimeout(PATIENCE_MS);
    await open.locator("tbody tr").first().waitFor();
    await open.evaluate(() => Object.assign(globalThis, { neverReloaded: true }));
  }

  await page.goto(`${city.url}/market?side=publish`);
  await page.locator("input[type=file]").setInputFiles(moduleOf("my-count"));
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await page.waitForURL(/\/market\/apps\/\d+$/);
  await page.getByRole("heading", { name: "my-count" }).waitFor();
  expect(await violations(page)).toEqual([]);
  const published = page.url();
  const offers = book.locator("tbody tr").filter({
    has: book.getByText(`app ${published.split("/").at(-1)}`, { exact: true }),
  });
  await offers.getByText("0.001", { exact: true }).waitFor();
  await apps.getByRole("link", { name: "my-count", exact: true }).waitFor();
  counted = await orderText(here, "one two", "my-count");
  await certified(page);

  await page.goto(published);
  await page.getByRole("button", { name: "Take all offers back" }).click();
  await page.getByText("No offer of it stands any more").waitFor();
  await page.getByText("no offer stands", { exact: true }).waitFor();
  await offers.waitFor({ state: "detached" });
  const row = apps.locator("tbody tr").filter({ hasText: "my-count" });
  await row.getByText("not offered", { exact: true }).waitFor();
  await page.getByLabel("Price a task").fill("0.25");
  await page.getByRole("button", { name: "Offer it" }).click();
  await page.getByText("It is on the book").waitFor();
  expect(await page.getByText("No offer of it stands any more").count()).toBe(0);
  await page.locator("dl > div").filter({ hasText: "the cheapest offer" }).getByText("0.25").waitFor();
  await offers.getByText("0.25", { exact: true }).waitFor();
  await row.getByText("0.25", { exact: true }).waitFor();
  for (const open of [apps, book]) {
    expect(await open.evaluate(() => "neverReloaded" in globalThis)).toBe(true);
    await open.close();
  }
  expect(await violations(page)).toEqual([]);
  await page.screenshot({ path: `${SHOTS}/city-asset.png`, fullPage: true });
  quiet(here);
});

test("a dataset is published, and paid for by whoever has an app work on it", async () => {
  const { page, city } = here;
  await page.goto(`${city.url}/market?side=publish`);
  await page.getByText("Dataset", { exact: true }).click();
  const file = { name: "harbour.csv", mimeType: "text/csv", buffer: Buffer.from("depth,time\n3,12\n") };
  await page.locator("input[type=file]").setInputFiles(file);
  await page.getByLabel("Price a task").fill("0.5");
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await page.waitForURL(/\/market\/datasets\/\d+$/);
  await page.getByRole("heading", { name: "harbour" }).waitFor();
  const number = new URL(page.url()).pathname.split("/").at(-1)!;
  measured = await orderText(here, "how deep", "wordcount", `&dataset=${number}`);
  await certified(page);
  const { terms } = await asked<{ terms: { datasetPrice: string } }>(measured);
  expect(BigInt(terms.datasetPrice)).toBe(5n * 10n ** 17n);
  quiet(here);
});

test("a reload while the wallet asks loses nothing of what was published, and does nothing twice", async () => {
  const { page, city, wallet } = here;
  const left = page.getByRole("status").filter({ hasText: "is registered, but no offer of it stands" });
  /** Chooses the file, presses the button, and loads the page anew while the wallet waits for its owner. */
  const interrupted = async (method: string): Promise<void> => {
    const held = wallet.hold(method);
    await page.locator("input[type=file]").setInputFiles(moduleOf("my-other-count"));
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await held.asked;
    await page.reload();
    held.answer();
  };
  await page.goto(`${city.url}/market?side=publish`);
  wallet.asked.length = 0;
  await interrupted("eth_sendTransaction");
  // The wallet sent it when its page was gone: the new one hears of it, and says what is left to do.
  await left.getByText("my-other-count").waitFor();
  await interrupted("eth_signTypedData_v4");
  await left.getByRole("link", { name: "Offer it on its page" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.locator("input[type=file]").setInputFiles(moduleOf("my-other-count"));
  await page.getByText("only the offer is left to sign").waitFor();
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await page.waitForURL(/\/market\/apps\/\d+$/);
  await page.getByText("the cheapest offer", { exact: true }).waitFor();
  // Registered once; of two signatures the first was lost with its page.
  expect(methods()).toEqual(["eth_sendTransaction", "eth_signTypedData_v4", "eth_signTypedData_v4"]);
  const { assets } = await asked<Account>(`/accounts/${wallet.account.address}`);
  expect(assets.filter((asset) => asset.name === "my-other-count").length).toBe(1);
  quiet(here);
});

test("what is no module is refused before anything is stored", async () => {
  const { page, city, wallet } = here;
  wallet.asked.length = 0;
  await page.goto(`${city.url}/market?side=publish`);
  const file = { name: "script.wasm", mimeType: "application/wasm", buffer: Buffer.from("<script>alert(1)</script>") };
  await page.locator("input[type=file]").setInputFiles(file);
  await page.getByText("this is no WebAssembly module").waitFor();
  expect(await page.getByRole("button", { name: "Publish", exact: true }).isDisabled()).toBe(true);
  expect(wallet.asked).toEqual([]);
  quiet(here);
});

test("a machine joins, gets more stake, and leaves", async () => {
  const { page, city, wallet } = here;
  const { chain, contracts } = city.about;
  const proof = await worker.signTypedData({
    domain: {
      name: "Guildhall Workforce",
      version: "1",
      chainId: Number(chain),
      verifyingContract: contracts.workforce,
    },
    types: {
      WorkerKey: [
        { name: "operator", type: "address" },
        { name: "pool", type: "uint32" },
      ],
    },
    primaryType: "WorkerKey",
    message: { operator: wallet.account.address, pool: 1 },
  });
  await page.goto(`${city.url}/account`);
  await page.getByText("Join with a machine").click();
  await page.getByLabel("The worker's address").fill(worker.address);
  await page.getByLabel("Proof of its key").fill(proof);
  await page.getByLabel("Bond").fill("100");
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await page.getByText("It has joined").waitFor();
  await page.goto(`${city.url}/workers/${worker.address}`);
  const bond = page.locator("dl > div").filter({ has: page.getByText("Bond", { exact: true }) });
  await bond.getByText("100", { exact: false }).waitFor();
  await page.getByLabel("Amount").fill("50");
  await page.getByRole("button", { name: "Add stake" }).click();
  await page.getByText("The bond has grown").waitFor();
  await bond.getByText("150", { exact: false }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Leave the pool" }).click();
  await page.getByText(/Its bond can be withdrawn in/).waitFor();
  expect(await page.getByRole("button", { name: "Withdraw" }).isDisabled()).toBe(true);
  quiet(here);
});

/** Fills in what somebody's own machine is said to have found. */
async function disputed(): Promise<void> {
  const { page } = here;
  await page.getByRole("button", { name: "Dispute this result" }).click();
  await page.getByRole("textbox", { name: "Fuel" }).fill("1234");
  await page.getByRole("textbox", { name: "Digest of the output" }).fill(`0x${"12".repeat(32)}`);
  await page.getByRole("textbox", { name: "Digest of the trace" }).fill(`0x${"34".repeat(32)}`);
  await page.getByRole("button", { name: "Open the dispute" }).click();
}

test("a reload between seal and dispute loses no seal, and opens no second dispute", async () => {
  const { page, city, wallet } = here;
  await page.goto(`${city.url}${measured}/tasks/0`);
  wallet.asked.length = 0;
  const sending = wallet.hold("eth_sendTransaction");
  await disputed();
  await sending.asked;
  await page.reload();
  sending.answer();
  // What is to do is on the page that the reader comes back to.
  await page.getByText("dispute with a bond").waitFor();
  await page.getByText("This browser keeps what you sealed.").waitFor();
  await page.getByRole("button", { name: "Dispute this result" }).waitFor({ state: "detached" });
  expect(await violations(page)).toEqual([]);
  expect(methods()).toEqual(["eth_sendTransaction"]);
  quiet(here);
});

test("a result is disputed while its window is open, and the dispute is there for everybody", async () => {
  const { page, city } = here;
  await page.goto(`${city.url}${counted}/tasks/0`);
  await page.getByRole("button", { name: "Dispute this result" }).waitFor();
  const deal = await orderText(here, "right or wrong");
  await certified(page);
  await page.getByRole("button", { name: "Show its result" }).click();
  await disputed();
  await page.getByText("The dispute is open").waitFor();
  await page.goto(`${city.url}${deal}/batches/0`);
  await page.getByText("dispute with a bond").waitFor();
  await page
    .locator(".timeline li")
    .filter({ has: page.getByText("Disputed", { exact: true }) })
    .getByText(/^[\d,]+ gas$/)
    .waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByText("This browser keeps what you sealed.").waitFor();
  const { items } = await asked<{ items: { deal: string; commit_end: string }[] }>("/cases");
  expect(items.map((one) => `/deals/${one.deal}`).sort()).toEqual([deal, measured].sort());
  const { head } = await asked<{ head: { time: string } }>("/about");
  // Of both juries the later one.
  await city.pass(Math.max(...items.map((one) => Number(one.commit_end))) - Number(head.time) + 1);
  for (const of of [deal, measured]) {
    // A page keeps the time itself, and asks for it now and then only.
    await page.goto(`${city.url}${of}/batches/0`);
    await page.getByRole("button", { name: "Show what you sealed" }).click();
    await page.getByText("What you sealed is shown.").waitFor();
  }
  quiet(here);
});

test("every page of a city is free of what axe finds, and asks nobody else", async () => {
  const { page, city } = here;
  const workers = await asked<{ items: { address: string }[] }>("/workers");
  const places = [
    "/",
    "/run",
    "/market",
    "/market?side=orders",
    "/market/apps/1",
    "/deals",
    "/workers",
    "/pools",
    "/pools/1",
    "/account",
  ];
  for (const place of [...places, `/workers/${workers.items[0]!.address}`]) {
    await page.goto(city.url + place);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.locator(".notice.loading").waitFor({ state: "detached" });
    expect(await violations(page), place).toEqual([]);
  }
  quiet(here);
});

test("who left takes the bond back after seven days", async () => {
  const { page, city } = here;
  await page.goto(`${city.url}/workers/${worker.address}`);
  await page.getByText(/Its bond can be withdrawn in/).waitFor();
  await city.pass(7 * 86_400);
  await page.reload();
  await page.getByText("Its bond can be withdrawn, but for what is at risk.").waitFor();
  await page.getByRole("button", { name: "Withdraw" }).click();
  await page.getByText("It is in your balance").waitFor();
  // Nor is anything disputed any more: what could be before is final.
  await page.goto(`${city.url}${counted}/tasks/0`);
  await page.getByRole("button", { name: "Verify here" }).waitFor();
  await page.getByText(/^since /).waitFor();
  expect(await page.getByRole("button", { name: "Dispute this result" }).count()).toBe(0);
  quiet(here);
});
