/** Numbers, times and hashes as people read them. One way for each, so that the same thing always looks the same. */

/** Decimals of the token's smallest unit. */
export const TOKEN_DECIMALS = 18;
const SHOWN_DECIMALS = 6;
const MICRO = 1_000_000n;

/** A number with its thousands set apart. */
export function thousands(value: bigint | number): string {
  return value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Odds times 1e6 as people say them: `64:1`. */
export function showOdds(micro: bigint): string {
  const [whole, rest] = [micro / MICRO, micro % MICRO];
  return whole >= 10n || rest === 0n ? `${thousands(whole)}:1` : `${whole}.${rest / 100_000n}:1`;
}

/** An amount in tokens, cut (not rounded) to six decimals. */
export function showTokens(amount: bigint): string {
  const digits = amount.toString().padStart(TOKEN_DECIMALS + 1, "0");
  const whole = digits.slice(0, -TOKEN_DECIMALS);
  const decimals = digits.slice(-TOKEN_DECIMALS, -TOKEN_DECIMALS + SHOWN_DECIMALS).replace(/0+$/, "");
  if (whole === "0" && decimals === "" && amount !== 0n) return "<0.000001";
  return decimals === "" ? thousands(BigInt(whole)) : `${thousands(BigInt(whole))}.${decimals}`;
}

/** Tokens that a text names, in the smallest unit; nothing where it names none. */
export function readTokens(text: string): bigint | undefined {
  const match = /^(\d+)(?:\.(\d{1,18}))?$/.exec(text.trim().replaceAll(",", ""));
  if (!match) return undefined;
  return BigInt(match[1]! + (match[2] ?? "").padEnd(TOKEN_DECIMALS, "0"));
}

/** Bond units (1e15 of the smallest unit) in tokens. */
export function showUnits(units: bigint | number): string {
  return showTokens(BigInt(units) * 1_000_000_000_000_000n);
}

/** A time span in the two largest units that matter. */
export function showSeconds(seconds: bigint | number): string {
  const units = [
    [86_400n, "d"],
    [3_600n, "h"],
    [60n, "min"],
    [1n, "s"],
  ] as const;
  let rest = BigInt(typeof seconds === "number" ? Math.max(0, Math.round(seconds)) : seconds);
  const parts: string[] = [];
  for (const [length, name] of units) {
    if (rest >= length && parts.length < 2) {
      parts.push(`${rest / length} ${name}`);
      rest %= length;
    }
  }
  return parts.length === 0 ? "0 s" : parts.join(" ");
}

/** How long ago, or in how long. */
export function showWhen(time: number, now: number): string {
  const seconds = Math.round(now - time);
  if (Math.abs(seconds) < 2) return "now";
  return seconds > 0 ? `${showSeconds(seconds)} ago` : `in ${showSeconds(-seconds)}`;
}

/** A time of day and date, in the reader's zone. */
export function showTime(time: number): string {
  return new Date(time * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** Basis points in percent. */
export function showBps(bps: number): string {
  return `${(bps / 100).toLocaleString("en", { maximumFractionDigits: 2 })} %`;
}

export function showBytes(bytes: bigint | number): string {
  const count = Number(bytes);
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let [value, at] = [count / 1024, 0];
  while (value >= 1024 && at < units.length - 1) [value, at] = [value / 1024, at + 1];
  return `${value < 10 ? value.toFixed(1) : Math.floor(value)} ${units[at]}`;
}

/** Fuel in the unit that fits. */
export function showFuel(fuel: bigint): string {
  if (fuel < 1_000_000n) return thousands(fuel);
  const [million, unit] = fuel < 1_000_000_000n ? [1_000_000n, "M"] : [1_000_000_000n, "G"];
  return `${(Number((fuel * 10n) / million) / 10).toLocaleString("en")} ${unit}`;
}

/** The two ends of a long hash or address. */
export function shorten(text: string, ends = 4): string {
  const head = text.startsWith("b3:") ? 3 : 2;
  return text.length <= head + 2 * ends + 1 ? text : `${text.slice(0, head + ends)}…${text.slice(-ends)}`;
}

/** A count with its noun, in the number that fits. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${thousands(value)} ${value === 1 ? one : many}`;
}
