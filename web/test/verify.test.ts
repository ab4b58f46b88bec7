/** A true result passes every step, and each lie fails at the step that shows it. */

import { beforeAll, describe, expect, test } from "vitest";

import { membersHash, packMember, roster } from "../src/protocol/certificate";
import { DEFAULT_POLICY } from "../src/protocol/orders";
import { caseTermsOf } from "../src/protocol/terms";
import { readBundle, writeBundle } from "../src/verify/bundle";
import { STEPS, verdict, verify, type Check, type Claimed } from "../src/verify/verify";
import {
  ANCHOR,
  certify,
  claimedOf,
  CONTRACTS,
  FakeChain,
  named,
  WORKERS,
  type CertifiedBatch,
  type Plan,
} from "./world";

const text = new TextEncoder();
const PLAN: Plan = {
  name: "three words",
  app: 2n,
  dataset: 0n,
  outputs: ["one", "two", "three"].map((word) => text.encode(word)),
  batchSize: 3,
  openedBefore: 600,
  agree: [1, 2, 4, 6],
  dissents: 8,
};
const policy = { ...DEFAULT_POLICY, countReputation: true };

async function run(claimed: Claimed, chain: FakeChain): Promise<Check[]> {
  const checks: Check[] = [];
  for await (const check of verify(claimed, chain, ANCHOR)) checks.push(check);
  return checks;
}

function failing(checks: readonly Check[]): string | undefined {
  return checks.find((check) => check.state === "fails")?.step;
}

describe("verify", () => {
  let batch: CertifiedBatch;
  let chain: FakeChain;
  let claimed: Claimed;
  beforeAll(async () => {
    batch = await certify(PLAN, 0, policy);
    chain = new FakeChain([batch]);
    claimed = claimedOf(batch, 1);
  });

  test("a true result passes every step", async () => {
    const checks = await run(claimed, chain);
    expect(checks.map((check) => `${check.step} ${check.state}`)).toEqual(STEPS.map((step) => `${step} holds`));
    expect(verdict(checks)).toBe("holds");
  });

  test("a false output fails", async () => {
    const checks = await run({ ...claimed, output: text.encode("twö") }, chain);
    expect(failing(checks)).toBe("output");
    expect(checks.at(-1)?.state).toBe("skipped");
  });

  test("a false receipt, or one too few, fails", async () => {
    const receipts = batch.receipts.map((one) => (one.index === 0 ? { ...one, fuel: one.fuel + 1n } : one));
    expect(failing(await run({ ...claimed, receipts }, chain))).toBe("receipt");
    expect(failing(await run({ ...claimed, receipts: batch.receipts.slice(0, 2) }, chain))).toBe("receipt");
    expect(failing(await run({ ...claimed, task: 9 }, chain))).toBe("receipt");
  });

  test("another contributor fails, with the hash as it was and with one that fits", async () => {
    const members = batch.members.map((one, at) => (at === 0 ? { ...one, worker: WORKERS[0]!.address } : one));
    expect(failing(await run({ ...claimed, members }, chain))).toBe("members");
    const certificate = {
      ...batch.certificate,
      members: membersHash(roster(members.map(packMember), batch.rivals, batch.trail), caseTermsOf(batch.terms, 0)!),
    };
    expect(failing(await run({ ...claimed, members, certificate }, chain))).toBe("certificate");
  });

  test("a false certificate, deal or term fails", async () => {
    expect(failing(await run({ ...claimed, certificate: { ...batch.certificate, odds: 10n ** 12n } }, chain))).toBe(
      "certificate",
    );
    expect(failing(await run({ ...claimed, terms: { ...batch.terms, requester: WORKERS[0]!.address } }, chain))).toBe(
      "terms",
    );
    expect(failing(await run({ ...claimed, terms: { ...batch.terms, dealId: named("another") } }, chain))).toBe(
      "terms",
    );
  });

  test("a signature that is not the worker's fails", async () => {
    const at = 10 + 64 * 24 + 64 * 4 + 64 * 5 + 64 + 3 * 64 + 8;
    const flipped =
      batch.calldata.slice(0, at) + (batch.calldata[at] === "1" ? "2" : "1") + batch.calldata.slice(at + 1);
    const altered = new FakeChain([{ ...batch, calldata: flipped as `0x${string}` }]);
    expect(failing(await run(claimed, altered))).toBe("signatures");
  });

  test("a transaction that certifies nothing fails, and one that the node has not is unknown", async () => {
    const other = { ...batch, calldata: "0x12345678" as const };
    expect(failing(await run(claimed, new FakeChain([other])))).toBe("signatures");
    const checks = await run({ ...claimed, transaction: named("gone") }, chain);
    expect(checks.filter((check) => check.state === "unknown").map((check) => check.step)).toEqual([
      "signatures",
      "odds",
    ]);
    expect(verdict(checks)).toBe("partly");
  });

  test("another chain fails at once, a forgotten seed is said and no failure", async () => {
    const foreign = new FakeChain([batch]);
    foreign.chainId = 1n;
    expect(failing(await run(claimed, foreign))).toBe("chain");
    const old = new FakeChain([batch]);
    old.forgotSeeds = true;
    expect(verdict(await run(claimed, old))).toBe("partly");
  });

  test("without the contract there is nothing to verify", async () => {
    const checks: Check[] = [];
    const anchor = { ...ANCHOR, certifier: `0x${"12".repeat(20)}` as const };
    for await (const check of verify(claimed, chain, anchor)) checks.push(check);
    expect(failing(checks)).toBe("chain");
    expect(CONTRACTS.certifier).not.toBe(anchor.certifier);
  });
});

describe("bundles", () => {
  test("are read as they were written, and every cut is refused", async () => {
    const batch = await certify(PLAN, 0, policy);
    const bytes = writeBundle(batch.receipts, batch.outputs);
    const bundle = readBundle(bytes);
    expect(bundle.receipts).toEqual(batch.receipts);
    expect(bundle.outputs.map((output) => output.kind === "inline" && new TextDecoder().decode(output.bytes))).toEqual([
      "one",
      "two",
      "three",
    ]);
    for (let length = 0; length < bytes.length; length++) expect(() => readBundle(bytes.slice(0, length))).toThrow();
    expect(() => readBundle(new Uint8Array([...bytes, 1]))).toThrow();
  });
});
