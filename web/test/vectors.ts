/** Reads the repository's `vectors/`: sections of cases, every value a word, an address, bytes or a list of words. */

import { readFileSync } from "node:fs";

import type { Hex } from "../src/protocol/bytes";

const FILES = ["cases", "confidence", "contributions", "lot", "orders", "payouts", "receipts"] as const;
type File = (typeof FILES)[number];

function read(file: File): Record<string, Record<string, unknown>[]> {
  return JSON.parse(readFileSync(new URL(`../../vectors/${file}.json`, import.meta.url), "utf8"));
}

/** Every section there is, as `file.section`. */
export function sections(): string[] {
  return FILES.flatMap((file) => Object.keys(read(file)).map((section) => `${file}.${section}`));
}

/** A case whose fields are taken one by one, so that a test can say that it has looked at all of them. */
export class Fields {
  private readonly taken = new Set<string>();

  constructor(private readonly from: Record<string, unknown>) {}

  private raw(name: string): unknown {
    if (!(name in this.from)) throw new Error(`the case has no ${name}`);
    this.taken.add(name);
    return this.from[name];
  }

  hex(name: string): Hex {
    return this.raw(name) as Hex;
  }

  big(name: string): bigint {
    return BigInt(this.raw(name) as string);
  }

  num(name: string): number {
    return Number(this.big(name));
  }

  flag(name: string): boolean {
    return this.big(name) === 1n;
  }

  list(name: string): Hex[] {
    return this.raw(name) as Hex[];
  }

  bigs(name: string): bigint[] {
    return this.list(name).map(BigInt);
  }

  /** Fields that nothing has looked at. */
  left(): string[] {
    return Object.keys(this.from).filter((name) => !this.taken.has(name));
  }
}

export function cases(section: string): Fields[] {
  const [file, name] = section.split(".") as [File, string];
  return read(file)[name]!.map((from) => new Fields(from));
}
