/**
 * Solidity structs of static fields, described once: their ABI encoding, their EIP-712 hash and their JSON form follow.
 *
 * Numbers of up to 32 bits are `number`, wider ones `bigint`, so that nothing passes 2^53 unnoticed.
 */

import { concat, EncodingError, fromHex, keccak, padded, toBigint, toHex, word, type Hex } from "./bytes";

type Small = "uint8" | "uint16" | "uint32";
type Wide = "uint64" | "uint96" | "uint128" | "uint256";
type Bytes = "address" | "bytes32";
type Atom = Small | Wide | Bytes | "bool";

type ValueOf<T> = T extends Small
  ? number
  : T extends Wide
    ? bigint
    : T extends Bytes
      ? Hex
      : T extends "bool"
        ? boolean
        : T extends Struct<infer Inner>
          ? FieldsOf<Inner>
          : never;

export type Field = readonly [type: Atom | Struct<readonly Field[]>, name: string];
type FieldsOf<F extends readonly Field[]> = { [P in F[number] as P[1]]: ValueOf<P[0]> };

export interface Struct<F extends readonly Field[]> {
  readonly name: string;
  readonly fields: F;
}

/** The TypeScript type of a struct. */
export type Of<S> = S extends Struct<infer F> ? FieldsOf<F> : never;
type Any = Struct<readonly Field[]>;
type Values = Record<string, unknown>;

export function struct<const F extends readonly Field[]>(name: string, fields: F): Struct<F> {
  return { name, fields };
}

function isSmall(type: Atom): boolean {
  return type === "uint8" || type === "uint16" || type === "uint32";
}

function bits(type: Atom): number {
  return Number(type.slice(4));
}

function encodeAtom(type: Atom, value: unknown): Uint8Array {
  if (type === "bool") return word(value ? 1 : 0);
  if (type === "address") return padded(toHex(fromHex(value as string, 20)));
  if (type === "bytes32") return fromHex(value as string, 32);
  const wide = BigInt(value as bigint | number);
  if (wide >> BigInt(bits(type)) !== 0n) throw new EncodingError(`${wide} is no ${type}`);
  return word(wide);
}

function decodeAtom(type: Atom, bytes: Uint8Array): unknown {
  const value = toBigint(bytes);
  const limit = type === "bool" ? 1 : type === "address" ? 160 : type === "bytes32" ? 256 : bits(type);
  if (value >> BigInt(limit) !== 0n) throw new EncodingError(`the word ${toHex(bytes)} is no ${type}`);
  if (type === "bool") return value === 1n;
  if (type === "address") return toHex(bytes.subarray(12));
  if (type === "bytes32") return toHex(bytes);
  return isSmall(type) ? Number(value) : value;
}

/** `abi.encode(value)`: all fields are static, so a struct is its words one after the other. */
export function encode<S extends Any>(of: S, value: Of<S>): Uint8Array<ArrayBuffer> {
  const values = value as Values;
  return concat(
    of.fields.map(([type, name]) =>
      typeof type === "string" ? encodeAtom(type, values[name]) : encode(type, values[name] as never),
    ),
  );
}

function words(of: Any): number {
  return of.fields.reduce((sum, [type]) => sum + (typeof type === "string" ? 1 : words(type)), 0);
}

/** Reads `abi.encode(value)`; bits outside of a field are an error. */
export function decode<S extends Any>(of: S, bytes: Uint8Array): Of<S> {
  if (bytes.length !== 32 * words(of)) throw new EncodingError(`${bytes.length} bytes are no ${of.name}`);
  const values: Values = {};
  let at = 0;
  for (const [type, name] of of.fields) {
    const length = typeof type === "string" ? 32 : 32 * words(type);
    const part = bytes.subarray(at, at + length);
    values[name] = typeof type === "string" ? decodeAtom(type, part) : decode(type, part);
    at += length;
  }
  return values as Of<S>;
}

/** Reads a struct from JSON: numbers may be decimal texts or `0x` words, texts in any case. Unknown keys are ignored. */
export function fromJson<S extends Any>(of: S, json: unknown): Of<S> {
  if (typeof json !== "object" || json === null) throw new EncodingError(`${of.name} is missing`);
  const given = json as Values;
  const values: Values = {};
  for (const [type, name] of of.fields) {
    const value = given[name];
    if (value === undefined) throw new EncodingError(`${of.name}.${name} is missing`);
    values[name] = typeof type === "string" ? readAtom(type, value, `${of.name}.${name}`) : fromJson(type, value);
  }
  return values as Of<S>;
}

function readAtom(type: Atom, value: unknown, name: string): unknown {
  try {
    if (type === "bool")
      return decodeAtom(type, word(typeof value === "boolean" ? Number(value) : BigInt(value as string)));
    if (type === "address" || type === "bytes32") return toHex(fromHex(value as string, type === "address" ? 20 : 32));
    return decodeAtom(type, word(BigInt(value as string | number | bigint)));
  } catch {
    throw new EncodingError(`${name} is no ${type}`);
  }
}

/** A struct as JSON has it: what may pass 2^53 is decimal text. */
export function toJson<S extends Any>(of: S, value: Of<S>): Record<string, unknown> {
  const values = value as Values;
  return Object.fromEntries(
    of.fields.map(([type, name]) => {
      const field = values[name];
      if (typeof type !== "string") return [name, toJson(type, field as never)];
      return [name, typeof field === "bigint" ? field.toString() : field];
    }),
  );
}

/** EIP-712: the struct's type with those that it names, which EIP-712 puts in alphabetical order behind it. */
export function typeText(of: Any): string {
  const parts = new Map<string, string>();
  const visit = (inner: Any): string => {
    const list = inner.fields.map(([type, name]) => {
      if (typeof type === "string") return `${type} ${name}`;
      if (!parts.has(type.name)) parts.set(type.name, visit(type));
      return `${type.name} ${name}`;
    });
    return `${inner.name}(${list.join(",")})`;
  };
  const own = visit(of);
  return (
    own +
    [...parts.keys()]
      .sort()
      .map((name) => parts.get(name)!)
      .join("")
  );
}

const utf8 = new TextEncoder();

/** EIP-712 `hashStruct`. */
export function structHash<S extends Any>(of: S, value: Of<S>): Hex {
  const values = value as Values;
  const members = of.fields.map(([type, name]) =>
    typeof type === "string" ? encodeAtom(type, values[name]) : fromHex(structHash(type, values[name] as never)),
  );
  return keccak(concat([fromHex(keccak(utf8.encode(typeText(of)))), ...members]));
}

/** What signatures are bound to: a name, a chain and a contract. */
export interface Domain {
  readonly name: string;
  readonly chainId: bigint;
  readonly contract: Hex;
}

const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

/** EIP-712: what is signed. */
export function digest<S extends Any>(domain: Domain, of: S, value: Of<S>): Hex {
  const text = (of: string) => fromHex(keccak(utf8.encode(of)));
  const separator = keccak(
    concat([text(DOMAIN_TYPE), text(domain.name), text("1"), word(domain.chainId), padded(domain.contract)]),
  );
  return keccak(concat([Uint8Array.of(0x19, 0x01), fromHex(separator), fromHex(structHash(of, value))]));
}

/** The `types` of a wallet's `eth_signTypedData_v4`, without the domain's. */
export function walletTypes(of: Any): Record<string, { name: string; type: string }[]> {
  const types: Record<string, { name: string; type: string }[]> = {};
  const visit = (inner: Any): void => {
    types[inner.name] = inner.fields.map(([type, name]) => ({
      name,
      type: typeof type === "string" ? type : type.name,
    }));
    for (const [type] of inner.fields) if (typeof type !== "string") visit(type);
  };
  visit(of);
  return types;
}
