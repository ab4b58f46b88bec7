/** What an output is shown as follows from its bytes alone. */

import { describe, expect, test } from "vitest";

import { shapeOf } from "../src/lib/output";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const shapeOfText = (text: string): ReturnType<typeof shapeOf> => shapeOf(utf8(text));

describe("pictures are what their first bytes say", () => {
  const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  test.each([
    ["image/png", PNG],
    ["image/jpeg", [0xff, 0xd8, 0xff, 0xe0]],
    ["image/gif", [...utf8("GIF89a")]],
    ["image/webp", [...utf8("RIFF"), 1, 2, 3, 4, ...utf8("WEBPVP8 ")]],
  ] as const)("%s", (type, head) => {
    expect(shapeOf(Uint8Array.from([...head, 0, 1, 2]))).toEqual({ kind: "image", type });
  });

  test("and cut off they are none", () => {
    expect(shapeOf(Uint8Array.from(PNG.slice(0, 5)))).toEqual({ kind: "bytes" });
    expect(shapeOf(Uint8Array.from([...utf8("RIFF"), 1, 2, 3, 4, ...utf8("WAVE")]))).toEqual({ kind: "bytes" });
  });
});

test("a drawing that can carry a script is text, never a picture", () => {
  const drawing = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  expect(shapeOfText(drawing)).toEqual({ kind: "text", text: drawing });
});

describe("tables", () => {
  test("have columns by commas or tabs, the same number in every line", () => {
    const rows = [
      ["depth", "time"],
      ["3", "12"],
    ];
    expect(shapeOfText("depth,time\n3,12\n")).toEqual({ kind: "table", rows });
    expect(shapeOfText("depth,time\r\n3,12\r\n")).toEqual({ kind: "table", rows });
    expect(shapeOfText("depth\ttime\n3\t12")).toEqual({ kind: "table", rows });
    expect(shapeOfText("a\t1,5\nb\t2")).toEqual({
      kind: "table",
      rows: [
        ["a", "1,5"],
        ["b", "2"],
      ],
    });
  });

  test("and lines that differ, or are only one or too many, are a text", () => {
    const many = Array.from({ length: 501 }, (_, at) => `${at},x`).join("\n");
    for (const text of ["a,b\nc\n", "a,b\n", "one\ntwo\n", many]) {
      expect(shapeOfText(text)).toEqual({ kind: "text", text });
    }
  });
});

describe("JSON", () => {
  test("of one object is fields, what is nested as JSON", () => {
    expect(shapeOfText('{"score":0.021300,"of":{"a":[1]},"none":null,"yes":true}\n')).toEqual({
      kind: "fields",
      fields: [
        ["score", "0.0213"],
        ["of", '{"a":[1]}'],
        ["none", "null"],
        ["yes", "true"],
      ],
    });
  });

  test("that is broken, or no object, is a text", () => {
    for (const text of ['{"a":', "[1, 2]", "12"]) expect(shapeOfText(text)).toEqual({ kind: "text", text });
  });
});

test("what is no text is bytes: nothing, too much, controls, other encodings", () => {
  for (const bytes of [
    new Uint8Array(),
    new Uint8Array((256 << 10) + 1).fill(0x61),
    Uint8Array.of(0x61, 0, 0x62),
    Uint8Array.of(0x61, 0x1a),
    Uint8Array.of(0xe4, 0x20, 0xfc),
  ]) {
    expect(shapeOf(bytes)).toEqual({ kind: "bytes" });
  }
  expect(shapeOf(new Uint8Array(256 << 10).fill(0x61)).kind).toBe("text");
});
