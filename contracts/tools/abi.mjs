#!/usr/bin/env node
// Writes { abi, bytecode } of the deployable contracts to crates/guildhall-chain/abi/, from what `forge build` left in
// out/. The same sources give the same bytes; `--check` fails when a file differs.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const contracts = [
  "Vault", "Registry", "Workforce", "Market", "Certifier", "Recourse", "Court", "Jury", "Inquest",
  "BlockhashSeed", "PrevrandaoSeed", "BeaconSeed", "DevToken", "TemperatureAlarm",
];
const interfaces = ["IDeliveryCallback", "IGroup", "ISeed"];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const target = join(root, "..", "crates", "guildhall-chain", "abi");
const check = process.argv.includes("--check");
let stale = 0;

mkdirSync(target, { recursive: true });
for (const name of [...contracts, ...interfaces]) {
  const artifact = JSON.parse(readFileSync(join(root, "out", `${name}.sol`, `${name}.json`), "utf8"));
  const bytecode = interfaces.includes(name) ? undefined : artifact.bytecode.object;
  if (bytecode?.includes("__$")) throw new Error(`${name}: unlinked library`);
  const text = JSON.stringify({ abi: artifact.abi, bytecode }) + "\n";
  const path = join(target, `${name}.json`);
  let current = "";
  try {
    current = readFileSync(path, "utf8");
  } catch {
    // Not written yet.
  }
  if (current === text) continue;
  if (check) {
    console.error(`${path} is stale: run \`npm run abi\` in contracts/ and commit it`);
    stale += 1;
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${name}.json`);
  }
}
process.exit(stale === 0 ? 0 : 1);
