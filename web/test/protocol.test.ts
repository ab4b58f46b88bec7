/** What `vectors/` has no section for: content ids, manifests, forecasts, proofs, and how numbers are shown. */

import { describe, expect, test } from "vitest";

import { readTokens, showBytes, showOdds, showSeconds, showTokens, shorten, thousands } from "../src/lib/format";
import { contentId, readContentId } from "../src/protocol/content";
import { targetOf } from "../src/protocol/confidence";
import { forecast } from "../src/protocol/forecast";
import { encodeManifest, inputOf } from "../src/protocol/manifest";
import { DEFAULT_POLICY, REQUEST_ORDER } from "../src/protocol/orders";
import { depthOf, proofOf, rootOf, standsUnder } from "../src/protocol/receipts";
import { fromJson, toJson, typeText } from "../src/protocol/struct";
import { TERMS } from "../src/protocol/terms";
import { makeTerms, named } from "./world";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("content ids", () => {
  test("are BLAKE3", () => {
    const empty = "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    expect(contentId(new Uint8Array())).toBe(empty);
    expect(readContentId(empty)).toBe(`0x${empty.slice(3)}`);
    expect(readContentId("b3:12")).toBeUndefined();
  });
});

describe("manifests", () => {
  test("have one encoding: merged neighbours, sorted environment", () => {
    const same = inputOf(bytes("a"));
    const manifest = {
      args: ["app", "--fast"],
      env: [
        ["Z", "1"],
        ["A", "2"],
      ] as const,
      tasks: [same, same, inputOf(bytes("bc"))],
    };
    const text = new TextDecoder().decode(encodeManifest(manifest));
    expect(text).toBe(
      `{"version":1,"args":["app","--fast"],"env":[["A","2"],["Z","1"]],"tasks":[{"input":"${same.input}","bytes":1,"times":2},` +
        `{"input":"${contentId(bytes("bc"))}","bytes":2}]}`,
    );
  });

  test("refuse what no program could be given", () => {
    const tasks = [inputOf(bytes("a"))];
    expect(() => encodeManifest({ args: [], env: [], tasks: [] })).toThrow();
    expect(() => encodeManifest({ args: ["\0"], env: [], tasks })).toThrow();
    expect(() => encodeManifest({ args: [], env: [["A=B", ""]], tasks })).toThrow();
  });
});

describe("forecasts", () => {
  test("ninety-nine to one takes some five executions, and is rarely wrong", () => {
    const found = forecast(DEFAULT_POLICY, targetOf(99, 0));
    expect(found.executionsMilli).toBeGreaterThan(4_000);
    expect(found.executionsMilli).toBeLessThan(7_000);
    expect(found.wrongPpm).toBeLessThan(20_000);
  });
});

describe("trees", () => {
  test("every leaf of every size stands at its own place alone", () => {
    for (let size = 1; size <= 9; size++) {
      const leaves = Array.from({ length: size }, (_, at) => named(`leaf ${at}`));
      const root = rootOf(leaves);
      leaves.forEach((leaf, at) => {
        const proof = proofOf(leaves, at);
        expect(proof).toHaveLength(depthOf(size));
        for (let place = 0; place < size; place++)
          expect(standsUnder(root, size, place, leaf, proof)).toBe(place === at);
      });
    }
  });
});

describe("structs", () => {
  test("nested types stand behind their owner", () => {
    expect(typeText(REQUEST_ORDER)).toMatch(
      /^RequestOrder\(address requester.*Policy policy.*\)Policy\(uint32 confidence/,
    );
  });

  test("go through JSON and back, and what does not fit is refused by name", () => {
    const terms = makeTerms({
      name: "x",
      app: 1n,
      dataset: 0n,
      outputs: [bytes("a")],
      batchSize: 1,
      openedBefore: 0,
      agree: [0],
    });
    expect(fromJson(TERMS, JSON.parse(JSON.stringify(toJson(TERMS, terms))))).toEqual(terms);
    expect(() => fromJson(TERMS, { ...toJson(TERMS, terms), pool: 2 ** 32 })).toThrow("Terms.pool is no uint32");
  });
});

describe("what people read", () => {
  test("numbers", () => {
    expect(thousands(1234567)).toBe("1,234,567");
    expect(showOdds(64_000_000n)).toBe("64:1");
    expect(showOdds(1_599_999n)).toBe("1.5:1");
    expect(showTokens(1_500_000_000_000_000_000n)).toBe("1.5");
    expect(showTokens(1n)).toBe("<0.000001");
    expect(showTokens(0n)).toBe("0");
    expect(readTokens("1,000.25")).toBe(1_000_250_000_000_000_000_000n);
    expect(readTokens("1.")).toBeUndefined();
    expect(showSeconds(3_725)).toBe("1 h 2 min");
    expect(showBytes(1536)).toBe("1.5 KiB");
    expect(shorten(`0x${"ab".repeat(20)}`)).toBe("0xabab…abab");
  });
});
