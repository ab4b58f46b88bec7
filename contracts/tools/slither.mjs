// Compares slither's findings, as lines "detector Contract.function", with slither.known. `--write` renews the file.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const known = join(dirname(fileURLToPath(import.meta.url)), "..", "slither.known");
const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
if (!report.success) throw new Error(`slither failed: ${report.error}`);

/// The first function or contract that a finding is about.
function placeOf(finding) {
  const element = finding.elements.find((e) => ["function", "contract", "variable"].includes(e.type)) ?? finding.elements[0];
  const parent = element.type_specific_fields?.parent;
  return parent?.type === "contract" ? `${parent.name}.${element.name}` : element.name;
}

const found = [...new Set(report.results.detectors.map((f) => `${f.check} ${placeOf(f)}`))].sort();
if (process.argv.includes("--write")) writeFileSync(known, found.join("\n") + "\n");
const answered = readFileSync(known, "utf8").split("\n").filter(Boolean);
const fresh = found.filter((line) => !answered.includes(line));
const gone = answered.filter((line) => !found.includes(line));
for (const line of fresh) console.error(`new finding: ${line}`);
for (const line of gone) console.error(`answered, but found no more: ${line}`);
console.log(`${found.length} findings, all answered in docs/slither.md`.replace(/all/, fresh.length ? `${found.length - fresh.length}` : "all"));
process.exit(fresh.length + gone.length === 0 ? 0 : 1);
