/** The inputs' manifest of a deal: one encoding and no other, so that one content has one id. See `docs/manifest.md`. */

import { contentDigest, contentId } from "./content";
import type { Hex } from "./bytes";

export interface TaskInput {
  /** Content id of the bytes. */
  readonly input: string;
  readonly bytes: number;
}

export interface Manifest {
  readonly args: readonly string[];
  readonly env: readonly (readonly [string, string])[];
  readonly tasks: readonly TaskInput[];
}

const STRINGS_MAX = 256;
const STRING_MAX_BYTES = 4_096;
const TASKS_MAX = 1 << 20;
const utf8 = new TextEncoder();

function check(text: string, what: string): void {
  if (utf8.encode(text).length > STRING_MAX_BYTES) throw new RangeError(`${what} is longer than 4,096 bytes`);
  if (text.includes("\0")) throw new RangeError(`${what} has a zero byte`);
}

/** The manifest's bytes. Equal neighbours are merged, the environment sorted by the bytes of its names. */
export function encodeManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  const { args, tasks } = manifest;
  const env = [...manifest.env].sort(([a], [b]) => compareBytes(utf8.encode(a), utf8.encode(b)));
  if (args.length > STRINGS_MAX || env.length > STRINGS_MAX)
    throw new RangeError("256 arguments and variables at most");
  args.forEach((arg) => check(arg, "an argument"));
  env.forEach(([name, value], at) => {
    if (name === "" || name.includes("=")) throw new RangeError(`"${name}" is no name of a variable`);
    if (at > 0 && env[at - 1]![0] === name) throw new RangeError(`the variable ${name} is there twice`);
    check(name, "a variable's name");
    check(value, "a variable");
  });
  if (tasks.length === 0 || tasks.length > TASKS_MAX) throw new RangeError("a manifest has 1 to 1,048,576 tasks");
  const runs: { input: string; bytes: number; times: number }[] = [];
  for (const { input, bytes } of tasks) {
    const last = runs.at(-1);
    if (last && last.input === input && last.bytes === bytes) last.times++;
    else runs.push({ input, bytes, times: 1 });
  }
  const wire = {
    version: 1,
    args,
    env,
    tasks: runs.map(({ input, bytes, times }) => (times === 1 ? { input, bytes } : { input, bytes, times })),
  };
  return utf8.encode(JSON.stringify(wire));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return a.length - b.length;
}

/** What stands as `inputs` in the request order. */
export function manifestId(bytes: Uint8Array): Hex {
  return contentDigest(bytes);
}

/** The input that these bytes are. */
export function inputOf(bytes: Uint8Array): TaskInput {
  return { input: contentId(bytes), bytes: bytes.length };
}
