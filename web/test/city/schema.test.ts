/** The gateway answers everything, well-formed or not, as its document says: schemathesis asks whatever it can think of. */

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { certified, orderText, payIn, visit, type Visit } from "./visit";

const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "guildhall");
/** `scripts/web.sh test` puts it there. */
const SCHEMATHESIS = join(CACHE, "schemathesis/bin/schemathesis");
const CONFIG = fileURLToPath(new URL("schemathesis.toml", import.meta.url));

let here: Visit;
let deal: string;

beforeAll(async () => {
  here = await visit();
  await payIn(here, 1_000);
  deal = (await orderText(here, "one two two")).split("/")[2]!;
  await certified(here.page);
});
afterAll(() => here?.close());

test("every operation keeps to the document", async () => {
  const { city, wallet } = here;
  const { items } = (await (await fetch(`${city.url}/api/v1/workers`)).json()) as { items: { address: string }[] };
  // What there is, so that not only refusals are seen: half of the questions are about these.
  const known = { DEAL: deal, WORKER: items[0]!.address, ACCOUNT: wallet.account.address };
  const dir = mkdtempSync(join(tmpdir(), "guildhall-schema-"));
  const config = readFileSync(CONFIG, "utf8").replace(/\$\{(\w+)\}/g, (_, name: keyof typeof known) => known[name]);
  writeFileSync(join(dir, "schemathesis.toml"), config);
  const run = promisify(execFile)(SCHEMATHESIS, ["--no-color", "run", `${city.url}/api/v1/openapi.json`], {
    cwd: dir,
    maxBuffer: 1 << 24,
  });
  const said = await run.then(
    () => "",
    (failure: { stdout?: string; message: string }) => failure.stdout ?? failure.message,
  );
  rmSync(dir, { recursive: true, force: true });
  expect(said.slice(-20_000)).toBe("");
  expect((await fetch(`${city.url}/health/ready`)).status).toBe(200);
}, 600_000);
