/** Words and bytes as Solidity's ABI has them. Everything that is hashed here is made of static words of 32 bytes. */

import { keccak_256 } from "@noble/hashes/sha3";

/** Bytes as `0x` and lowercase digits. */
export type Hex = `0x${string}`;

export const ZERO_WORD: Hex = `0x${"0".repeat(64)}`;
export const ZERO_ADDRESS: Hex = `0x${"0".repeat(40)}`;

/** Bytes that are not what they should be. */
export class EncodingError extends Error {
  override name = "EncodingError";
}

const DIGITS = "0123456789abcdef";

/** The bytes as `0x` text. */
export function toHex(bytes: Uint8Array): Hex {
  let text = "0x";
  for (const byte of bytes) text += DIGITS[byte >> 4]! + DIGITS[byte & 15]!;
  return text as Hex;
}

/** The bytes of `0x` text, of exactly `length` bytes if one is given. */
export function fromHex(text: string, length?: number): Uint8Array<ArrayBuffer> {
  if (!/^0x([0-9a-fA-F]{2})*$/.test(text)) throw new EncodingError(`${short(text)} is no hexadecimal text`);
  const bytes = new Uint8Array((text.length - 2) / 2);
  if (length !== undefined && bytes.length !== length) {
    throw new EncodingError(`${short(text)} has ${bytes.length} bytes instead of ${length}`);
  }
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(text.slice(2 + 2 * at, 4 + 2 * at), 16);
  return bytes;
}

function short(text: string): string {
  return text.length > 24 ? `${text.slice(0, 24)}…` : `"${text}"`;
}

/** One array after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A number as a word of 32 bytes, big endian. */
export function word(value: bigint | number): Uint8Array<ArrayBuffer> {
  const wide = BigInt(value);
  if (wide < 0n || wide >> 256n !== 0n) throw new EncodingError(`${wide} does not fit a word`);
  return fromHex(`0x${wide.toString(16).padStart(64, "0")}`);
}

/** Hexadecimal text of up to 32 bytes as a word, padded on the left: digests as they are, addresses as ABI has them. */
export function padded(text: Hex): Uint8Array<ArrayBuffer> {
  const bytes = fromHex(text);
  if (bytes.length > 32) throw new EncodingError(`${short(text)} does not fit a word`);
  const whole = new Uint8Array(32);
  whole.set(bytes, 32 - bytes.length);
  return whole;
}

/** The number that a word, or any bytes, stand for. */
export function toBigint(bytes: Uint8Array | Hex): bigint {
  const text = typeof bytes === "string" ? bytes : toHex(bytes);
  return text === "0x" ? 0n : BigInt(text);
}

/** A number as a digest, `0x` and 64 digits. */
export function wordHex(value: bigint | number): Hex {
  return toHex(word(value));
}

/** keccak256, as `0x` text. */
export function keccak(bytes: Uint8Array): Hex {
  return toHex(keccak_256(bytes));
}

/** keccak256 over words: numbers, digests and addresses, each in 32 bytes. */
export function keccakWords(...words: readonly (bigint | number | Hex)[]): Hex {
  return keccak(concat(words.map((part) => (typeof part === "string" ? padded(part) : word(part)))));
}

/** Whether two texts name the same bytes, whatever the case of their digits. */
export function sameHex(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Packs fields into a word from the low bit. */
export class Packer {
  value = 0n;
  private used = 0n;

  /** Appends `bits` bits; the value must fit them. */
  put(value: bigint | number, bits: number): this {
    const wide = BigInt(value);
    if (wide < 0n || wide >> BigInt(bits) !== 0n) throw new EncodingError(`${wide} does not fit ${bits} bits`);
    this.value |= wide << this.used;
    this.used += BigInt(bits);
    return this;
  }
}

/** Takes fields out of a word from the low bit. */
export class Unpacker {
  constructor(public rest: bigint) {}

  take(bits: number): bigint {
    const value = this.rest & ((1n << BigInt(bits)) - 1n);
    this.rest >>= BigInt(bits);
    return value;
  }

  number(bits: number): number {
    return Number(this.take(bits));
  }
}

/** Divides and rounds up. */
export function divCeil(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

export function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
