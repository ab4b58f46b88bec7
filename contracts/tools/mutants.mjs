#!/usr/bin/env node
// Mutation testing: changes one place of a contract at a time and asks whether any test notices (test/MUTANTS.md).
//
//   node tools/mutants.mjs [--sample N] [--seed S] [--workers W] [--again] Confidence Payouts Vault ...
//
// N mutants of each file (all when not given), drawn by the seed; `--again` takes those that survived the last run.
// slither-mutate has forge compile every contract for each mutant, which takes minutes. Here the compiler stays loaded and
// compiles only what a mutant is in, for speed and not for gas; forge runs tests on a copy of contracts/ whose artifacts are
// replaced, and never compiles. Of every file the first is no mutant: with it, all tests have to pass.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import solc from "solc";
import { fileOf, mutantsOf, sample } from "./mutations.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const home = join(homedir(), ".cache", "guildhall", "mutants");
const resultsPath = join(home, "results.json");
/// Only the contracts as they are deployed keep the limits of size and gas.
const MORE = ["--code-size-limit", "200000"];
const LEFT_OUT = "test/holes/LongLog.t.sol";
/// A run takes some twenty seconds of the processor, whatever else it does meanwhile: what takes more loops without end.
const MOST_SECONDS = 200;

/// A worker reads its copy: the working tree may change meanwhile.
const tree = workerData ?? root;
const read = (path) => readFileSync(join(tree, path), "utf8");
const sourcesIn = (folder) => readdirSync(join(tree, folder)).filter((f) => f.endsWith(".sol")).map((f) => `${folder}/${f}`);
const sources = [...sourcesIn("src"), ...sourcesIn("src/libraries")];
const contracts = sourcesIn("src").filter((f) => /^contract /m.test(read(f)));
const tests = [...sourcesIn("test/fuzz"), ...sourcesIn("test/vectors")].filter((f) => !/is (City|Deals|Plays)/.test(read(f)));

/// The project's files that a file imports.
function importsOf(path) {
  const found = [...read(path).matchAll(/from "(\.[^"]+)"/g)].map((m) => normalize(join(dirname(path), m[1])));
  return found.filter((f) => f.startsWith("src/"));
}

/// Whether a file is another one, or imports it by way of others.
function reaches(path, target, seen = new Set()) {
  if (path === target) return true;
  if (seen.has(path)) return false;
  seen.add(path);
  return importsOf(path).some((f) => reaches(f, target, seen));
}

/// Compiles a file, maybe with another content of one that it imports; answers `[artifact, code]` of each contract in it, or null
/// when it does not compile. Contracts by the same way as the real ones but with few steps of the optimizer.
function compile(path, changed = {}) {
  const viaIR = path.startsWith("src/");
  const content = (name) => changed[name] ?? read(name);
  const steps = { yul: true, yulDetails: { stackAllocation: true, optimizerSteps: "dhfoDgvul:fDnTOcmuO" } };
  const input = {
    language: "Solidity",
    sources: { [path]: { content: content(path) } },
    settings: {
      evmVersion: "osaka", viaIR, optimizer: viaIR ? { enabled: true, runs: 1, details: steps } : { enabled: true, runs: 200 },
      metadata: { bytecodeHash: "none", appendCBOR: false },
      outputSelection: { [path]: { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: (name) => ({ contents: content(fileOf(name)) }) }));
  if ((output.errors ?? []).some((e) => e.severity === "error")) return null;
  const found = Object.entries(output.contracts[path]).filter(([, c]) => c.evm.bytecode.object);
  return found.map(([name, c]) => [`${basename(path)}/${name}`, c.evm]);
}

/// Runs tests in a copy, those of some folders or all: true when all pass, false when one fails. Anything else is an error, above
/// all a run that compiled. For a pattern forge reads all sources again, which takes as long as all tests.
function pass(copy, glob) {
  const pattern = glob ? ["--match-path", glob] : [];
  const env = { ...process.env, FOUNDRY_FUZZ_RUNS: "32", FOUNDRY_INVARIANT_RUNS: "5" };
  const options = { cwd: copy, env, encoding: "utf8", maxBuffer: 1 << 28 };
  const command = ["node_modules/.bin/forge", "test", "--fail-fast", ...pattern, ...MORE];
  const run = spawnSync("sh", ["-c", `ulimit -t ${MOST_SECONDS}; exec "$0" "$@"`, ...command], options);
  const text = `${run.stdout}${run.stderr}`;
  if (run.signal === "SIGXCPU" || run.signal === "SIGKILL") return false;
  if (/^Compiling /m.test(text)) fail(`forge compiled in ${copy}`);
  if (run.status === 0 && /[1-9]\d* tests passed, 0 failed/.test(text)) return true;
  if (run.status !== 0 && /[1-9]\d* failed|\[FAIL/.test(text)) return false;
  return fail(`forge in ${copy}: ${text.slice(-2000)}`);
}

/// Puts code into the artifacts of a copy; answers what undoes it.
function replace(copy, codes) {
  const kept = codes.map(([name]) => join(copy, "out", `${name}.json`)).map((path) => [path, readFileSync(path, "utf8")]);
  kept.forEach(([path, text], i) => {
    const artifact = JSON.parse(text);
    artifact.bytecode.object = `0x${codes[i][1].bytecode.object}`;
    artifact.deployedBytecode.object = `0x${codes[i][1].deployedBytecode.object}`;
    writeFileSync(path, JSON.stringify(artifact));
  });
  return () => kept.forEach(([path, text]) => writeFileSync(path, text));
}

/// What becomes of one mutant: "killed", "survived" or "not compiling". A library is asked by the rules and vectors that test it by
/// itself, then, as everything else, in every contract that has it at once, so that they agree with each other.
function judge(copy, mutant) {
  const { file } = mutant;
  const changed = { [file]: applied(mutant) };
  const own = file.includes("/libraries/") ? tests.filter((t) => importsOf(t).includes(file)) : [];
  const having = contracts.filter((c) => reaches(c, file));
  if (own.length + having.length === 0) fail(`${file} is in no contract: only tests' own contracts have it`);
  const first = own.length > 0 ? ask(copy, changed, own, own) : "survived";
  return first === "survived" && having.length > 0 ? ask(copy, changed, having, [undefined]) : first;
}

/// What becomes of a mutant in some files, by the tests of some folders.
function ask(copy, changed, files, globs) {
  const codes = files.map((f) => compile(f, changed));
  if (codes.includes(null)) return "not compiling";
  const undo = replace(copy, codes.flat());
  try {
    return globs.every((glob) => pass(copy, glob)) ? "survived" : "killed";
  } finally {
    undo();
  }
}

/// Copies of contracts/ with what is compiled there; the first is brought up to date.
function copyTree(count) {
  const copies = Array.from({ length: count }, (_, i) => join(home, `${i}`, "contracts"));
  copies.forEach((copy, i) => {
    rmSync(dirname(copy), { recursive: true, force: true });
    mkdirSync(dirname(copy), { recursive: true });
    const from = i === 0 ? root : copies[0];
    spawnSync("cp", ["-a", from, join(from, "..", "vectors"), dirname(copy)]);
    if (i > 0) return;
    rmSync(join(copy, LEFT_OUT));
    const build = spawnSync("node_modules/.bin/forge", ["build"], { cwd: copy, encoding: "utf8" });
    if (!/successful|No files changed/.test(build.stdout)) fail(build.stdout + build.stderr);
  });
  return copies;
}

/// Replaces one place of a file.
function applied({ file, start, end, to }) {
  const source = Buffer.from(read(file));
  return Buffer.concat([source.subarray(0, start), Buffer.from(to), source.subarray(end)]).toString();
}

function report(results) {
  const files = [...new Set(results.map((r) => r.file))];
  const count = (file, outcome) => results.filter((r) => r.file === file && r.outcome === outcome).length;
  console.log("\n| file | mutants | killed | survived | not compiling |\n|---|---:|---:|---:|---:|");
  for (const file of files) {
    const [killed, survived, broken] = ["killed", "survived", "not compiling"].map((o) => count(file, o));
    console.log(`| \`${file}\` | ${killed + survived} | ${killed} | ${survived} | ${broken} |`);
  }
  for (const r of results.filter((r) => r.outcome === "survived")) console.log(`${r.file}:${r.line}: \`${r.from}\` -> \`${r.to}\``);
}

/// Hands mutants out to workers, each with a copy and a compiler of its own.
async function runAll(mutants, workers) {
  const results = [];
  const queue = mutants.slice();
  await Promise.all(copyTree(workers).map((copy) => new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: copy });
    const next = () => (queue.length > 0 ? worker.postMessage(queue.shift()) : worker.terminate().then(resolve));
    worker.on("error", reject);
    worker.on("message", (result) => {
      const { file, line, from, to, outcome } = result;
      if (from === to && outcome !== "survived") return reject(new Error(`${file} as it is: ${outcome}`));
      if (from !== to) results.push(result);
      writeFileSync(resultsPath, JSON.stringify(results));
      console.log(`${outcome}: ${file}:${line}: ${from} -> ${to}`);
      return next();
    });
    next();
  })));
  return results.sort((a, b) => (a.file === b.file ? a.start - b.start : a.file < b.file ? -1 : 1));
}

async function main() {
  const args = process.argv.slice(2);
  const option = (name, value) => (args.includes(name) ? Number(args.splice(args.indexOf(name), 2)[1]) : value);
  const [most, seed, workers] = [option("--sample", Infinity), option("--seed", 1), option("--workers", 2)];
  let mutants;
  if (args.includes("--again")) {
    mutants = JSON.parse(readFileSync(resultsPath, "utf8")).filter((r) => r.outcome === "survived");
  } else {
    const files = args.map((name) => sources.find((f) => basename(f) === `${name}.sol`) ?? fail(`no contract ${name}`));
    // The file as it is comes first: all tests have to pass with it.
    const same = (file) => ({ file, line: 1, start: 0, end: 0, from: "", to: "" });
    mutants = files.flatMap((file) => [same(file), ...sample(mutantsOf(file, read), most, seed)]);
  }
  mkdirSync(home, { recursive: true });
  report(await runAll(mutants, workers));
}

const fail = (text) => { throw new Error(text); };

if (isMainThread) {
  await main();
} else {
  parentPort.on("message", (mutant) => parentPort.postMessage({ ...mutant, outcome: judge(workerData, mutant) }));
}
