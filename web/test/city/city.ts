/** A real city: `guildhall up` in a directory of its own, its processes, and money for whoever visits it. */

import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { createPublicClient, createWalletClient, http, parseAbi, parseEther, type Hex } from "viem";
import { generatePrivateKey, privateKeyToAccount, type PrivateKeyAccount } from "viem/accounts";

import type { About } from "../../src/api/types";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "guildhall");
export const APPS = process.env["GUILDHALL_APPS"] ?? join(ROOT, "build/apps");
/** The model and the photographs. */
export const ASSETS = process.env["GUILDHALL_ASSETS"] ?? join(CACHE, "assets");
const TARGET = process.env["CARGO_TARGET_DIR"] ?? join(CACHE, "target");
const PROGRAM = process.env["GUILDHALL"] ?? join(TARGET, "debug/guildhall");
/** The first of the keys that development nodes have. */
const RICH = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const VAULT = parseAbi(["function withdraw(uint256, address)"]);

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
  const { port } = probe.address() as { port: number };
  await new Promise((done) => probe.close(done));
  return port;
}

/** A process of the program that says when it is ready. */
class Running {
  private constructor(
    private readonly child: ChildProcess,
    private readonly ended: Promise<void>,
  ) {}

  static async start(args: readonly string[]): Promise<Running> {
    const child = spawn(PROGRAM, args, { cwd: ROOT, env: environment(), stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    child.stdout!.resume();
    const said: string[] = [];
    const ready = new Promise<void>((done, failed) => {
      child.once("error", failed);
      createInterface({ input: child.stderr! }).on("line", (line) => {
        if (said.push(line) > 50) said.shift();
        if (/stop with Ctrl-C|^gateway at /.test(line)) done();
      });
      void ended.then(() => failed(new Error(`guildhall ${args.join(" ")} ended: ${said.join("\n")}`)));
    });
    await ready;
    return new Running(child, ended);
  }

  /** Without a word: kill -9. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

const environment = (): NodeJS.ProcessEnv => ({
  GUILDHALL_APPS: APPS,
  GUILDHALL_ASSETS: ASSETS,
  ...process.env,
});

/** A gateway of its own beside a city's, with an index of its own. */
export class Gateway {
  private running: Running | undefined;
  readonly url: string;

  constructor(
    private readonly data: string,
    private readonly port: number,
  ) {
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Starts it, or wakes it up, at the same address. */
  async start(): Promise<void> {
    const where = ["--dir", join(this.data, "gateway-of-its-own"), "--listen", `127.0.0.1:${this.port}`];
    this.running = await Running.start(["gateway", "--data", this.data, ...where]);
  }

  async kill(): Promise<void> {
    await this.running?.kill();
    this.running = undefined;
  }
}

export class City {
  private readonly data = mkdtempSync(join(tmpdir(), "guildhall-web-"));
  private running: Running | undefined;
  private beside: Gateway | undefined;
  readonly url: string;
  about!: About;

  private constructor(private readonly ports: readonly [chain: number, coordinator: number, gateway: number]) {
    this.url = `http://127.0.0.1:${ports[2]}`;
  }

  static async found(): Promise<City> {
    const city = new City([await freePort(), await freePort(), await freePort()]);
    // The classifier is compiled once for all tests, those of the program among them: it takes a minute.
    const shared = join(TARGET, "tmp/machine-code");
    mkdirSync(shared, { recursive: true });
    mkdirSync(join(city.data, "workers"));
    symlinkSync(shared, join(city.data, "workers/machine-code"));
    await city.start();
    city.about = (await (await fetch(`${city.url}/api/v1/about`)).json()) as About;
    return city;
  }

  get rpc(): string {
    return this.about.rpc!;
  }

  /** Starts the city, or wakes it up, at the same addresses. */
  async start(): Promise<void> {
    const [chain, coordinator, gateway] = this.ports.map((port) => `127.0.0.1:${port}`) as [string, string, string];
    const where = ["--listen", chain, "--coordinator-listen", coordinator, "--gateway-listen", gateway];
    // So many reach 9:1 in the second wave alone, where one counts 3:2, when a slow machine's workers were too late for the first.
    const workers = ["--workers", "7"];
    this.running = await Running.start(["up", "--data", this.data, ...workers, "--dev-methods", ...where]);
  }

  /** Kills all of it at once. */
  async kill(): Promise<void> {
    await this.running?.kill();
    this.running = undefined;
  }

  /** Another gateway for this city. */
  async gateway(): Promise<Gateway> {
    this.beside = new Gateway(this.data, await freePort());
    await this.beside.start();
    return this.beside;
  }

  async close(): Promise<void> {
    await this.beside?.kill();
    await this.kill();
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Somebody new with coins for gas, and tokens in the wallet. */
  async visitor(tokens: bigint): Promise<PrivateKeyAccount> {
    const visitor = privateKeyToAccount(generatePrivateKey());
    const [node, rich] = [this.node(), privateKeyToAccount(RICH)];
    const wallet = createWalletClient({ account: rich, transport: http(this.rpc) });
    const amount = tokens * 10n ** 18n;
    const send = async (hash: Promise<Hex>): Promise<void> => {
      await node.waitForTransactionReceipt({ hash: await hash, pollingInterval: 100 });
    };
    const { contracts } = this.about;
    await send(wallet.sendTransaction({ chain: null, to: visitor.address, value: parseEther("1") }));
    const call = { chain: null, args: [amount, visitor.address] } as const;
    await send(wallet.writeContract({ ...call, address: contracts.vault, abi: VAULT, functionName: "withdraw" }));
    return visitor;
  }

  node() {
    return createPublicClient({ transport: http(this.rpc) });
  }

  /** Lets the chain's time pass. */
  async pass(seconds: number): Promise<void> {
    await this.node().request({ method: "evm_increaseTime", params: [seconds] } as never);
    await this.node().request({ method: "evm_mine", params: [] } as never);
  }
}
