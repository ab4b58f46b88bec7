/** What the contracts say becomes moments in words, with when, how, and what it cost. */

import { describe, expect, test } from "vitest";

import type { ChainEvent, Deal } from "../src/api/types";
import { momentsOf } from "../src/lib/moments";

const TOKEN = 10n ** 18n;
const WORKER = `0x1111${"0".repeat(32)}2222`;

function event(name: string, said: Record<string, unknown> = {}, more: Partial<ChainEvent> = {}): ChainEvent {
  const cost = { gas: "1234567", gas_price: "1", from: "0x1" } as const;
  return {
    block: "7",
    log_index: 0,
    transaction: "0xab",
    time: "1795600000",
    cost,
    contract: "certifier",
    name,
    batch: 0,
    said,
    ...more,
  };
}
const dealOf = (batches: number): Deal =>
  ({ locked: (3n * TOKEN).toString(), batches: { all: batches } }) as unknown as Deal;

test("a moment has its time, its transaction and its gas; without a receipt it has no gas, without a block no time", () => {
  expect(momentsOf([event("RoundVoided")])[0]).toMatchObject({
    time: 1_795_600_000,
    transaction: "0xab",
    gas: "1,234,567",
  });
  const bare = momentsOf([event("RoundVoided", {}, { cost: null, time: null })])[0]!;
  expect([bare.gas, bare.time]).toEqual([undefined, undefined]);
});

test("they stay in the chain's order, and with several batches say which", () => {
  const events = [event("DealOpened", { tasks: 40 }, { batch: null }), event("RoundVoided", {}, { batch: 1 })];
  expect(momentsOf(events, dealOf(2)).map((one) => one.text)).toEqual([
    "40 tasks; 3 tokens locked",
    "Batch 1: the bytes were withheld; the payer gets all back",
  ]);
  expect(momentsOf(events, dealOf(1))[1]!.text).toBe("the bytes were withheld; the payer gets all back");
  expect(momentsOf([event("StatusChanged", { status: "final" }, { batch: 3 })], dealOf(4))[0]!.text).toBe("Batch 3");
});

describe("in words", () => {
  const tokens = (count: bigint): string => (count * TOKEN).toString();
  test.each<[string, Record<string, unknown>, string, string | undefined, string | undefined]>([
    ["DealOpened", { tasks: 1 }, "Matched and paid for", "1 task", undefined],
    ["Certified", { odds: "37800000", seats: 4 }, "Certified", "37:1 by 4 operators; fees paid out", "good"],
    ["Slashed", { units: 2500, worker: WORKER }, "Stake into escrow", "2.5 tokens of 0x1111…2222", "wait"],
    [
      "Released",
      { to_workers: tokens(1n), to_payer: tokens(2n), burnt: "0" },
      "Escrow paid out",
      "1 to workers, 2 to the payer, 0 burnt",
      "good",
    ],
    ["Committed", { worker: WORKER }, "Committed on chain", "0x1111…2222, without the coordinator", undefined],
    ["Revealed", { worker: WORKER }, "Revealed on chain", "0x1111…2222", undefined],
    ["Reopened", { attempt: 1 }, "Drawn anew", "draw 2, needs four times the odds", "wait"],
    ["BatchExpired", { refund: tokens(5n) }, "Expired", "5 tokens back to the payer", "wait"],
    ["Contradicted", { worker: WORKER }, "Contradicted", "0x1111…2222 found something else", "bad"],
    ["Shown", { worker: WORKER }, "Shown late", "0x1111…2222", undefined],
    ["Delivered", { task: 3, is_final: true }, "Task 3 delivered", "under a final certificate", undefined],
    ["Delivered", { task: 0, is_final: false }, "Task 0 delivered", "provisionally", undefined],
    ["DeliveryTipped", { tip: tokens(1n), deliverer: WORKER }, "Delivery tipped", "1 tokens to 0x1111…2222", undefined],
    ["CaseOpened", { index: 0, opener: WORKER }, "Disputed", "task at 0, by 0x1111…2222", "bad"],
    ["InquestOpened", { opener: WORKER }, "Inquest opened", "by 0x1111…2222", "bad"],
    ["CaseClosed", { verdict: "upheld" }, "Case upheld", undefined, "good"],
    ["CaseClosed", { verdict: "overturned" }, "Case overturned", undefined, "bad"],
    ["JurorCommitted", { worker: WORKER }, "A juror committed", "0x1111…2222", undefined],
    ["JurorRevealed", { worker: WORKER }, "A juror showed its finding", "0x1111…2222", undefined],
    ["SealOpened", {}, "What was sealed is shown", "the finding of whoever disputed", undefined],
    ["ReceiptShown", { index: 4 }, "A receipt is shown", "of the task at 4", undefined],
    ["Decided", { verdict: "overturned" }, "The jury has decided", "overturned", "bad"],
    ["Decided", { verdict: "upheld" }, "The jury has decided", "upheld", "good"],
    ["InquestClosed", { found: true }, "Inquest closed", "one finding prevailed", undefined],
    ["Punished", { units: 1000, worker: WORKER }, "Slashed by verdict", "1 tokens of 0x1111…2222", "bad"],
    ["Disproved", { by: WORKER }, "Disproved", "by 0x1111…2222: its receipts contradict themselves", "bad"],
    ["StatusChanged", { status: "final" }, "The batch is final", undefined, undefined],
    ["SomethingNew", { x: 1 }, "SomethingNew", undefined, undefined],
  ])("%s %j", (name, said, title, text, tone) => {
    const [moment] = momentsOf([event(name, said)]);
    expect([moment!.title, moment!.text, moment!.tone]).toEqual([title, text, tone]);
  });
});
