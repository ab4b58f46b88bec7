// Compares slither's findings with slither.known. A line is "detector place hash": the hash is of what slither says, without
// the lines of the sources, so that a finding moves freely and another one in the same place is a new one. `--write` renews
// the file.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const known = join(dirname(fileURLToPath(import.meta.url)), "..", "slither.known");
const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
if (!report.success) throw new Error(`slither failed: ${report.error}`);

/// The first function, contract or variable that a finding is about, with what it stands in.
function placeOf(finding) {
  const element = finding.elements.find((e) => ["function", "contract", "variable"].includes(e.type)) ?? finding.elements[0];
  const names = [];
  for (let at = element; at && ["function", "contract", "variable"].includes(at.type); at = at.type_specific_fields?.parent) {
    names.unshift(at.name);
  }
  return names.join(".");
}

/// What slither says of a finding, in one line and without "(src/Market.sol#100-120)". Its own id has the lines in it.
function textOf(finding) {
  return finding.description.replace(/\s*\([^()]*\.sol#[\d-]*\)/g, "").replace(/\s+/g, " ").trim();
}

/// The line of a finding.
function lineOf(finding) {
  const hash = createHash("sha256").update(textOf(finding)).digest("hex").slice(0, 8);
  return `${finding.check} ${placeOf(finding)} ${hash}`;
}

const texts = new Map(report.results.detectors.map((finding) => [lineOf(finding), textOf(finding)]));
const found = [...texts.keys()].sort();
if (process.argv.includes("--write")) writeFileSync(known, found.join("\n") + "\n");
const answered = readFileSync(known, "utf8").split("\n").filter(Boolean);
const fresh = found.filter((line) => !answered.includes(line));
const gone = answered.filter((line) => !found.includes(line));
for (const line of fresh) console.error(`new finding: ${line}\n  ${texts.get(line)}`);
for (const line of gone) console.error(`answered, but found no more: ${line}`);
console.log(`${found.length} findings, all answered in docs/slither.md`.replace(/all/, fresh.length ? `${found.length - fresh.length}` : "all"));
process.exit(fresh.length + gone.length === 0 ? 0 : 1);
