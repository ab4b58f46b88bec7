/** What a deal's events are to a reader: one moment each, in words. */

import { big, type ChainEvent, type Deal, type Numeric } from "../api/types";
import type { Moment } from "../ui/Timeline.svelte";
import { count, shorten, showOdds, showTokens, showUnits, thousands } from "./format";

type Said = Readonly<Record<string, unknown>>;
type Words = Pick<Moment, "title" | "text" | "tone">;

const text = (said: Said, name: string): string => String(said[name] ?? "");
const amount = (said: Said, name: string): string => showTokens(big(said[name] as Numeric));
const who = (said: Said, name = "worker"): string => shorten(text(said, name));

const WORDS: Record<string, (said: Said, deal: Deal | undefined) => Words> = {
  DealOpened: (said, deal) => ({
    title: "Matched and paid for",
    text: `${count(Number(said["tasks"] ?? 0), "task")}${deal ? `; ${showTokens(big(deal.locked))} tokens locked` : ""}`,
  }),
  Certified: (said) => ({
    title: "Certified",
    text: `${showOdds(big(said["odds"] as Numeric))} by ${count(Number(said["seats"] ?? 0), "operator")}; fees paid out`,
    tone: "good",
  }),
  Slashed: (said) => ({
    title: "Stake into escrow",
    text: `${showUnits(big(said["units"] as Numeric))} tokens of ${who(said)}`,
    tone: "wait",
  }),
  Released: (said) => ({
    title: "Escrow paid out",
    text: `${amount(said, "to_workers")} to workers, ${amount(said, "to_payer")} to the payer, ${amount(said, "burnt")} burnt`,
    tone: "good",
  }),
  Committed: (said) => ({ title: "Committed on chain", text: `${who(said)}, without the coordinator` }),
  Revealed: (said) => ({ title: "Revealed on chain", text: who(said) }),
  Reopened: (said) => ({
    title: "Drawn anew",
    text: `draw ${Number(said["attempt"]) + 1}, needs four times the odds`,
    tone: "wait",
  }),
  BatchExpired: (said) => ({
    title: "Expired",
    text: `${amount(said, "refund")} tokens back to the payer`,
    tone: "wait",
  }),
  RoundVoided: () => ({ title: "Void", text: "the bytes were withheld; the payer gets all back", tone: "wait" }),
  Contradicted: (said) => ({ title: "Contradicted", text: `${who(said)} found something else`, tone: "bad" }),
  Shown: (said) => ({ title: "Shown late", text: who(said) }),
  Delivered: (said) => ({
    title: `Task ${text(said, "task")} delivered`,
    text: said["is_final"] ? "under a final certificate" : "provisionally",
  }),
  DeliveryTipped: (said) => ({
    title: "Delivery tipped",
    text: `${amount(said, "tip")} tokens to ${who(said, "deliverer")}`,
  }),
  CaseOpened: (said) => ({
    title: "Disputed",
    text: `task at ${text(said, "index")}, by ${who(said, "opener")}`,
    tone: "bad",
  }),
  JurorCommitted: (said) => ({ title: "A juror committed", text: who(said) }),
  JurorRevealed: (said) => ({ title: "A juror showed its finding", text: who(said) }),
  SealOpened: () => ({ title: "What was sealed is shown", text: "the finding of whoever disputed" }),
  ReceiptShown: (said) => ({ title: "A receipt is shown", text: `of the task at ${text(said, "index")}` }),
  Decided: (said) => ({
    title: "The jury has decided",
    text: text(said, "verdict"),
    tone: said["verdict"] === "overturned" ? "bad" : "good",
  }),
  InquestOpened: (said) => ({ title: "Inquest opened", text: `by ${who(said, "opener")}`, tone: "bad" }),
  InquestClosed: (said) => ({
    title: "Inquest closed",
    text: said["found"] ? "one finding prevailed" : "nothing prevailed: nobody loses anything",
  }),
  CaseClosed: (said) => ({
    title: `Case ${text(said, "verdict")}`,
    tone: said["verdict"] === "upheld" ? "good" : "bad",
  }),
  Punished: (said) => ({
    title: "Slashed by verdict",
    text: `${showUnits(big(said["units"] as Numeric))} tokens of ${who(said)}`,
    tone: "bad",
  }),
  Disproved: (said) => ({
    title: "Disproved",
    text: `by ${who(said, "by")}: its receipts contradict themselves`,
    tone: "bad",
  }),
  StatusChanged: (said) => ({ title: `The batch is ${text(said, "status")}` }),
};

/** The moments of a deal's events, in the chain's order. */
export function momentsOf(events: readonly ChainEvent[], deal?: Deal): Moment[] {
  const several = (deal?.batches.all ?? 1) > 1;
  return events.map((event) => {
    const words = WORDS[event.name]?.(event.said, deal) ?? { title: event.name };
    return {
      ...words,
      text: several && event.batch !== null ? `Batch ${event.batch}${words.text ? `: ${words.text}` : ""}` : words.text,
      time: event.time === null ? undefined : Number(event.time),
      transaction: event.transaction,
      gas: event.cost ? thousands(big(event.cost.gas)) : undefined,
    };
  });
}
