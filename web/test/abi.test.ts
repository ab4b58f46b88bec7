/** What is called and decoded here is what the contracts have: names and types against the ABI that the chain's crate uses. */

import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { calldata, SIGNATURES } from "../src/chain/calls";
import { CERTIFY, CERTIFY_MANY } from "../src/verify/posted";
import { fromHex } from "../src/protocol/bytes";

interface Input {
  readonly type: string;
  readonly components?: readonly Input[];
}
interface Item {
  readonly type: string;
  readonly name?: string;
  readonly inputs?: readonly Input[];
}

function typeOf(input: Input): string {
  if (!input.type.startsWith("tuple")) return input.type;
  return `(${input.components!.map(typeOf).join(",")})${input.type.slice("tuple".length)}`;
}

function functionsOf(contract: string): string[] {
  const url = new URL(`../../crates/guildhall-chain/abi/${contract}.json`, import.meta.url);
  const { abi } = JSON.parse(readFileSync(url, "utf8")) as { abi: readonly Item[] };
  return abi
    .filter((item) => item.type === "function")
    .map((item) => `${item.name}(${item.inputs!.map(typeOf).join(",")})`);
}

const CONTRACTS = {
  token: "DevToken",
  vault: "Vault",
  registry: "Registry",
  workforce: "Workforce",
  court: "Court",
  jury: "Jury",
} as const;

describe("the contracts", () => {
  test.each(Object.entries(CONTRACTS))("%s has every function that is called", (name, contract) => {
    const called = Object.values(SIGNATURES[name as keyof typeof CONTRACTS]);
    expect(functionsOf(contract)).toEqual(expect.arrayContaining(called));
  });

  test("are read by functions that they have", () => {
    const certifier = [
      "batchWord(bytes32,uint256)",
      "reopenedAt(bytes32,uint256)",
      "market()",
      "seeds()",
      "workforce()",
    ];
    expect(functionsOf("Certifier")).toEqual(expect.arrayContaining([...certifier, CERTIFY, CERTIFY_MANY]));
    expect(functionsOf("Market")).toEqual(expect.arrayContaining(["termsHash(bytes32)", "deal(bytes32,uint256)"]));
    expect(functionsOf("Workforce")).toContain("workerOf(address)");
    expect(functionsOf("ISeed")).toContain("seedOf(uint256,uint256)");
    expect(functionsOf("Registry")).toContain("runtimeId(uint8)");
  });
});

describe("calldata", () => {
  test("puts bytes behind the words", () => {
    const data = calldata("f(uint256,bytes,uint8)", [7, { bytes: fromHex("0x0102") }, 9]);
    const words = data.slice(10).match(/.{64}/g)!;
    expect(words.slice(0, 4).map((word) => Number(`0x${word}`))).toEqual([7, 0x60, 9, 2]);
    expect(words[4]!.startsWith("0102")).toBe(true);
    expect(words).toHaveLength(5);
  });
});
