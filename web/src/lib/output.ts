/** What an output is, by its bytes alone: nothing that it says of itself is run or believed. */

export type Shape =
  | { readonly kind: "image"; readonly type: "image/png" | "image/jpeg" | "image/gif" | "image/webp" }
  | { readonly kind: "fields"; readonly fields: readonly (readonly [string, string])[] }
  | { readonly kind: "table"; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bytes" };

const TEXT_MAX = 256 << 10;
const ROWS_MAX = 500;

const startsWith = (bytes: Uint8Array, ...head: number[]): boolean => head.every((byte, at) => bytes[at] === byte);

function image(bytes: Uint8Array): Shape | undefined {
  if (startsWith(bytes, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a)) return { kind: "image", type: "image/png" };
  if (startsWith(bytes, 0xff, 0xd8, 0xff)) return { kind: "image", type: "image/jpeg" };
  if (startsWith(bytes, 0x47, 0x49, 0x46, 0x38)) return { kind: "image", type: "image/gif" };
  const riff = startsWith(bytes, 0x52, 0x49, 0x46, 0x46) && startsWith(bytes.subarray(8), 0x57, 0x45, 0x42, 0x50);
  return riff ? { kind: "image", type: "image/webp" } : undefined;
}

/** Columns by tabs or commas, the same number in every line. */
function table(text: string): Shape | undefined {
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/);
  if (lines.length < 2 || lines.length > ROWS_MAX) return undefined;
  for (const by of ["\t", ","]) {
    const rows = lines.map((line) => line.split(by));
    if (rows[0]!.length > 1 && rows.every((row) => row.length === rows[0]!.length)) return { kind: "table", rows };
  }
  return undefined;
}

function json(text: string): Shape | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    const entries = Object.entries(JSON.parse(text) as object);
    const fields = entries.map(
      ([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)] as const,
    );
    return { kind: "fields", fields };
  } catch {
    return undefined;
  }
}

/** How to show these bytes. */
export function shapeOf(bytes: Uint8Array): Shape {
  const picture = image(bytes);
  if (picture) return picture;
  if (bytes.length > TEXT_MAX || bytes.length === 0) return { kind: "bytes" };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { kind: "bytes" };
  }
  // Zero bytes and other controls are no text, whatever the decoder says.
  if (/[\u0000-\u0008\u000e-\u001a]/.test(text)) return { kind: "bytes" };
  return json(text) ?? table(text) ?? { kind: "text", text };
}
