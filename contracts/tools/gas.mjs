#!/usr/bin/env node
// Measures what the contracts cost: real transactions with real signatures on anvil (osaka, with the cap on a
// transaction's gas), from their receipts. Writes snapshots/gas.json; `--check` fails when it differs or when a budget is
// exceeded. Steady: accounts credited before, offers used before, request fresh; `_cold`: everything for the first time.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { keccak256, pad, toHex, zeroHash } from "viem";
import { City, UNIT, findingOf, parcelOf, rosterOf, startAnvil } from "./city.mjs";

const path = join(dirname(fileURLToPath(import.meta.url)), "..", "snapshots", "gas.json");
const budgets = {
  match: 125_000, match_dataset: 155_000, certify_3: 158_000, certify_5: 200_000, task_3_total: 283_000,
  task_5_total: 325_000, per_task_batch10_3: 28_300, per_task_batch1000_3: 283, per_task_certify_many: 98_000,
  marginal_worker: 20_000, deliver: 46_000, deliver_batch: 58_000, expire: 56_000, contribute_onchain: 122_000,
  pin_beacon: 180_000, dispute: 85_000,
};
const five = { confidence: 1000, seats: 5 };

async function matchAndCertify(city, count, options) {
  const deal = await city.match(options);
  const certified = await city.certify(deal, count);
  return { match: deal.gas, certify: certified.gas, total: deal.gas + certified.gas, deal, certified };
}

async function certifyMany(city) {
  const deal = await city.match({ tasks: 10, batchSize: 1 });
  const claim = { root: keccak256(toHex("root")), fuel: 1_500_000n };
  const submissions = [];
  for (let batch = 0; batch < 10; batch += 1) {
    const entries = await city.contributions(deal, batch, 3, claim.root, claim.fuel);
    submissions.push({ batch: BigInt(batch), claims: [claim], entries, log: [] });
  }
  const receipt = await city.call("coordinator", "Certifier", "certifyMany", [deal.terms, submissions]);
  return (deal.gas + receipt.gasUsed) / 10n;
}

/// Certifies a deal of one batch and delivers task `index`, after another task when `warm` says so. Its result is never the
/// one that the consumer has, because a slot that keeps its value is written for 2,800 gas less.
async function deliver(city, tasks, index, { warm = [], reading = 2150n, deliveryTip = 0n } = {}) {
  const deal = await city.match({ tasks, batchSize: tasks, deliveryTip });
  const { root, fuel } = city.results(tasks, index, reading);
  const { certificate } = await city.certify(deal, 3, { root, fuel });
  city.pass(4000);
  let gas;
  for (const task of [...warm, index]) {
    const { proof, receipt, output } = city.results(tasks, task, reading);
    const parcel = parcelOf(deal.terms, certificate, receipt);
    gas = (await city.call("relayer", "Certifier", "deliver", [parcel, proof, output])).gasUsed;
  }
  return gas;
}

async function expire(city) {
  const deal = await city.match();
  city.pass(300_000);
  return (await city.call("relayer", "Certifier", "expire", [deal.terms, 0n, zeroHash, []])).gasUsed;
}

async function contributeOnChain(city) {
  const deal = await city.match();
  const roundId = await city.roundId(deal);
  const worker = city.workers[0];
  const name = Object.keys(city.people).find((n) => city.people[n] === worker);
  const [root, own, fuel] = [keccak256(toHex("root")), keccak256(toHex("own")), 1_500_000n];
  const commitment = city.commitment(worker.address, roundId, root, fuel, own);
  const committed = await city.call(name, "Certifier", "commit", [deal.terms, 0n, [], worker.address, commitment, "0x"]);
  const { item } = city.event(committed, "Certifier", "Committed");
  const revealed = await city.call(name, "Certifier", "reveal", [deal.terms.dealId, 0n, roundId, [item], 0n, root, fuel, own]);
  return committed.gasUsed + revealed.gasUsed;
}

/// Disputes a task; five jurors find what the certificate says, and the verdict is carried out.
async function disputeAndJudge(city) {
  const { root, fuel, receipt, proof } = city.results(10, 3, 2150n);
  const deal = await city.match({ tasks: 10, batchSize: 10 });
  const certified = await city.certify(deal, 3, { root, fuel });
  const { certificate } = certified;
  const opened = await city.call("requester", "Court", "openDispute", [certificate, rosterOf(certified), certified.caseTerms, 3n, keccak256(toHex("seal"))]);
  const { record } = city.event(opened, "Court", "CaseOpened");
  const finding = findingOf(receipt);
  const seats = await city.commitJurors(deal, certified, record, 5, finding);
  const patience = Number((BigInt(record.facts) >> 96n) & 0xffffffffn);
  city.time = Number((BigInt(record.facts) >> 128n) & 0xffffffffffn) + 3 * patience;
  const jurors = [];
  let reveal;
  for (const { name, own, juror } of seats) {
    const revealed = await city.call(name, "Jury", "reveal", [record, juror, finding, own]);
    jurors.push(city.event(revealed, "Jury", "JurorRevealed").juror);
    reveal = revealed.gasUsed;
  }
  const shown = await city.call("relayer", "Jury", "showReceipt", [deal.terms, certificate, record, receipt, proof]);
  const operatorOf = ({ word }) => (BigInt(word) >> 64n) & 0xffffffffn;
  jurors.sort((x, y) => (operatorOf(x) < operatorOf(y) ? -1 : 1));
  city.pass(patience);
  const hearing = { record, jurors };
  const decided = await city.call("relayer", "Court", "decide", [certificate, hearing]);
  city.pass(2 * patience);
  const finalized = await city.call("relayer", "Court", "finalize", [deal.terms, certified, [hearing], finding]);
  const [commit, show] = [seats[4].gas, shown.gasUsed];
  return { dispute: opened.gasUsed, commit, reveal, show, verdict: decided.gasUsed, finalize: finalized.gasUsed };
}

/// The same with as many deals as it takes until the lot seats five jurors.
async function judge(city) {
  for (;;) {
    const judged = await disputeAndJudge(city).catch((error) => (/have a seat/.test(error.message) ? null : Promise.reject(error)));
    if (judged) return judged;
  }
}

/// Two workers reveal two claims of one batch on chain, it expires, and one task of it goes before a jury.
async function inquire(city) {
  const deal = await city.match();
  const roundId = await city.roundId(deal);
  const fuel = 1_500_000n;
  const log = [];
  for (const [i, worker] of city.workers.slice(0, 2).entries()) {
    const name = Object.keys(city.people).find((n) => city.people[n] === worker);
    const commitment = city.commitment(worker.address, roundId, keccak256(toHex(`root ${i}`)), fuel, zeroHash);
    const committed = await city.call(name, "Certifier", "commit", [deal.terms, 0n, log, worker.address, commitment, "0x"]);
    log.push(city.event(committed, "Certifier", "Committed").item);
  }
  for (const i of [0, 1]) {
    const root = keccak256(toHex(`root ${i}`));
    const revealed = await city.call("relayer", "Certifier", "reveal", [deal.terms.dealId, 0n, roundId, log, BigInt(i), root, fuel, zeroHash]);
    log.push(city.event(revealed, "Certifier", "Revealed").item);
  }
  city.pass(300_000);
  await city.call("relayer", "Certifier", "expire", [deal.terms, 0n, roundId, log]);
  return (await city.call("requester", "Inquest", "openExpired", [deal.terms, 0n, roundId, log, 0n])).gasUsed;
}

/// Says that a member's own trace is false.
async function accuse(city) {
  const claim = { root: keccak256(toHex("root")), fuel: 1_500_000n };
  const deal = await city.match();
  const certified = await city.certify(deal, 3);
  const roundId = await city.roundId(deal);
  const entries = await city.contributions(deal, 0, 3, claim.root, claim.fuel);
  const workers = city.workers.slice(0, 3);
  const list = workers.flatMap((w, i) => [pad(w.address), city.commitment(w.address, roundId, claim.root, claim.fuel, entries[i].proof)]);
  const { r, vs, proof } = entries[0];
  const accusation = { worker: workers[0].address, ownTraceRoot: proof, wave: 0, before: zeroHash, list, r, vs, log: [] };
  return (await city.call("requester", "Inquest", "accuse", [deal.terms, certified, 0n, accusation])).gasUsed;
}

/// Certifies until the seed asks for an audit, as it does of one in sixteen, and opens it.
async function openAudit(city) {
  for (let tries = 1; ; tries += 1) {
    const deal = await city.match({ collateral: 0n });
    const certified = await city.certify(deal, 3);
    await city.mine(3);
    const opened = await city.call("relayer", "Court", "openAudit", [certified]).catch((error) => {
      if (tries === 300) throw error;
    });
    if (opened) return opened.gasUsed;
  }
}

/// drand's quicknet as published: public key, and the signature of round 123.
const quicknetKey =
  "0x000000000000000000000000000000000d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a" +
  "0000000000000000000000000000000003cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451" +
  "000000000000000000000000000000000e5db2b6bfbb01c867749cadffca88b36c24f3012ba09fc4d3022c5c37dce0f977d3adb5d183c7477c442b1f04515273" +
  "0000000000000000000000000000000001a714f2edb74119a2f2b0d5a7c75ba902d163700a61bc224ededd8e63aef7be1aaf8e93d7a9718b047ccddb3eb5d68b";
const quicknetSignature =
  "0x00000000000000000000000000000000175c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92" +
  "000000000000000000000000000000000f3894d8ccd4bb5edc3fca0f1f67f658559b86a360dd0128c3b64c12141372bb22276f0a00720b51125a9996b722b23f";

async function pinBeacon(city) {
  const [bytes, word] = [{ type: "bytes" }, { type: "uint256" }];
  const [genesis, period] = [1_692_803_367n, 3n];
  await city.deploy("BeaconSeed", [bytes, word, word, word, word], [quicknetKey, genesis, period, period, 0n]);
  const epoch = (genesis + 122n * period) / period - 1n;
  return (await city.call("relayer", "BeaconSeed", "pin", [epoch, quicknetSignature])).gasUsed;
}

async function measure(city) {
  const gas = {};
  /// Measures from the same state every time.
  const from = async (work) => {
    const [snapshot, time, salt] = [await city.rpc("evm_snapshot"), city.time, city.salt];
    const result = await work();
    await city.rpc("evm_revert", [snapshot]);
    Object.assign(city, { time, salt });
    return result;
  };
  const rows = async (suffix) => {
    const three = await from(() => matchAndCertify(city, 3, {}));
    const fives = await from(() => matchAndCertify(city, 5, five));
    const data = await from(() => matchAndCertify(city, 3, { dataset: true }));
    const put = (name, value) => { gas[name + suffix] = Number(value); };
    put("match", three.match);
    put("match_dataset", data.match);
    put("certify_3", three.certify);
    put("certify_3_dataset", data.certify);
    put("certify_5", fives.certify);
    put("task_3_total", three.total);
    put("task_5_total", fives.total);
    put("marginal_worker", (fives.certify - three.certify) / 2n);
    const ten = await from(() => matchAndCertify(city, 3, { tasks: 10, batchSize: 10 }));
    put("per_task_batch10_3", ten.total / 10n);
    const thousand = await from(() => matchAndCertify(city, 3, { tasks: 1000, batchSize: 1000 }));
    put("per_task_batch1000_3", thousand.total / 1000n);
    put("per_task_certify_many", await from(() => certifyMany(city)));
    put("expire", await from(() => expire(city)));
    put("contribute_onchain", await from(() => contributeOnChain(city)));
  };
  await rows("_cold");
  gas.deliver_cold = Number(await from(() => deliver(city, 1, 0)));
  gas.deliver_batch_cold = Number(await from(() => deliver(city, 1000, 500)));
  // From here on everything was used once.
  await matchAndCertify(city, 5, { ...five, dataset: true });
  await deliver(city, 1, 0, { reading: 2100n });
  city.time += 1;
  await rows("");
  gas.deliver = Number(await from(() => deliver(city, 1, 0)));
  gas.deliver_batch = Number(await from(() => deliver(city, 1000, 500, { warm: [501] })));
  // The deliverer's first tip, then the next one.
  gas.deliver_tip_cold = Number(await from(() => deliver(city, 1, 0, { deliveryTip: UNIT })));
  await deliver(city, 1, 0, { reading: 2200n, deliveryTip: UNIT });
  gas.deliver_tip = Number(await from(() => deliver(city, 1, 0, { deliveryTip: UNIT })));
  await city.buildJurors(12);
  await judge(city);
  const judged = await from(() => judge(city));
  gas.dispute = Number(judged.dispute);
  gas.jury_commit = Number(judged.commit);
  gas.jury_reveal = Number(judged.reveal);
  gas.show_receipt = Number(judged.show);
  gas.jury_verdict_5 = Number(judged.verdict);
  gas.finalize = Number(judged.finalize);
  gas.audit_open = Number(await from(() => openAudit(city)));
  gas.inquest_open = Number(await from(() => inquire(city)));
  gas.accuse = Number(await from(() => accuse(city)));
  gas.pin_beacon = Number(await from(() => pinBeacon(city)));
  gas.deploy_total = Number(city.deployGas);
  return Object.fromEntries(Object.entries(gas).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const anvil = await startAnvil();
try {
  const city = new City(anvil.url);
  await city.build(5);
  const gas = await measure(city);
  const over = Object.entries(budgets).filter(([name, budget]) => !(gas[name] <= budget));
  for (const [name, budget] of Object.entries(budgets)) {
    console.log(`${name.padEnd(24)} ${String(gas[name]).padStart(9)}  budget ${String(budget).padStart(9)}${gas[name] <= budget ? "" : "  OVER"}`);
  }
  const text = JSON.stringify(gas, null, 2) + "\n";
  let failed = over.length > 0;
  if (process.argv.includes("--check")) {
    if (readFileSync(path, "utf8") !== text) {
      console.error("snapshots/gas.json differs from what was measured: run `npm run gas` in contracts/ and look at the difference");
      failed = true;
    }
  } else {
    writeFileSync(path, text);
  }
  if (failed) process.exitCode = 1;
} finally {
  anvil.stop();
}
