/** The protocol in TypeScript gives what Rust and Solidity give: every section and every field of `vectors/`. */

import { describe, expect, test } from "vitest";

import { fromHex, toBigint, toHex, wordHex, type Hex } from "../src/protocol/bytes";
import {
  CASE,
  caseFacts,
  caseId,
  caseStakes,
  caseWindows,
  findingOf,
  jurorCommitment,
  packFacts,
  packStakes,
  sealOf,
} from "../src/protocol/cases";
import * as certificate from "../src/protocol/certificate";
import { groupOf, oddsOf, opposingOf, seatsNeeded, targetOf, weightOf } from "../src/protocol/confidence";
import { ownTraceKey } from "../src/protocol/content";
import { addressOf, listHash, logHash, packEntry, readLogItem, sortedList, unpackEntry } from "../src/protocol/list";
import { hasSeat, roundId, ticketOf, wantOf } from "../src/protocol/lot";
import * as messages from "../src/protocol/messages";
import * as orders from "../src/protocol/orders";
import * as payouts from "../src/protocol/payouts";
import { leafOf, proofOf, proves, rootOf, type Receipt } from "../src/protocol/receipts";
import { signerOf } from "../src/protocol/signatures";
import { decode, digest, encode, structHash, type Domain, type Field, type Struct } from "../src/protocol/struct";
import * as terms from "../src/protocol/terms";
import { cases, sections, type Fields } from "./vectors";

type Check = (fields: Fields) => void | Promise<void>;
type AnyStruct = Struct<readonly Field[]>;

function signed(of: AnyStruct, domain: (chainId: bigint, contract: Hex) => Domain): Check {
  return (fields) => {
    const bytes = fromHex(fields.hex("encoded"));
    const value = decode(of, bytes);
    expect(toHex(encode(of, value))).toBe(fields.hex("encoded"));
    expect(structHash(of, value)).toBe(fields.hex("structHash"));
    expect(digest(domain(fields.big("chainId"), fields.hex("contract")), of, value)).toBe(fields.hex("digest"));
  };
}

function receipt(fields: Fields): Receipt {
  return {
    index: fields.num("index"),
    exit: fields.num("exit"),
    fuel: fields.big("fuel"),
    outputDigest: fields.hex("outputDigest"),
    traceDigest: fields.hex("traceDigest"),
  };
}

const ofOrders: Record<string, Check> = {
  appOrders: signed(orders.APP_ORDER, orders.marketDomain),
  datasetOrders: signed(orders.DATASET_ORDER, orders.marketDomain),
  poolOrders: signed(orders.POOL_ORDER, orders.marketDomain),
  requestOrders: signed(orders.REQUEST_ORDER, orders.marketDomain),
  policies: (fields) => {
    const policy = decode(orders.POLICY, fromHex(fields.hex("encoded")));
    expect(wordHex(orders.packPolicy(policy))).toBe(fields.hex("word"));
    expect(orders.unpackPolicy(fields.big("word"))).toEqual(policy);
  },
  opened: (fields) => {
    const opened = {
      block: fields.big("block"),
      time: fields.big("time"),
      poolBond: fields.big("poolBond"),
      parameters: fields.num("parameters"),
      runtime: fields.num("runtime"),
      poolShareBps: fields.num("poolShareBps"),
      protocolFeeBps: fields.num("protocolFeeBps"),
      reputationStep: fields.num("reputationStep"),
      patience: fields.big("patience"),
    };
    expect(wordHex(terms.packOpened(opened))).toBe(fields.hex("word"));
    expect(terms.unpackOpened(fields.big("word"))).toEqual(opened);
  },
  parameters: (fields) => {
    const parameters = {
      patienceBaseSecs: fields.num("patienceBaseSecs"),
      fuelPerSec: fields.big("fuelPerSec"),
      reputationStep: fields.num("reputationStep"),
      protocolFeeBps: fields.num("protocolFeeBps"),
      expireGraceSecs: fields.num("expireGraceSecs"),
      posterGraceSecs: fields.num("posterGraceSecs"),
      disputeWindowMinSecs: fields.num("disputeWindowMinSecs"),
    };
    const version = fields.num("version");
    expect(wordHex(terms.packParameters(version, parameters))).toBe(fields.hex("word"));
    expect(terms.unpackParameters(fields.big("word"))).toEqual({ version, parameters });
  },
  terms: (fields) => {
    const value = decode(terms.TERMS, fromHex(fields.hex("encoded")));
    expect(terms.termsHash(value)).toBe(fields.hex("hash"));
    expect(terms.deliveryHash(value)).toBe(fields.hex("deliveryHash"));
  },
  caseTerms: (fields) => {
    const value = decode(terms.TERMS, fromHex(fields.hex("encoded")));
    expect(terms.caseTermsOf(value, fields.num("batch"))).toBe(fields.big("word"));
  },
};

const ofLot: Record<string, Check> = {
  rounds: (fields) => {
    const id = roundId(fields.hex("dealId"), fields.num("batch"), fields.num("attempt"), fields.hex("seed"));
    expect(id).toBe(fields.hex("roundId"));
  },
  tickets: (fields) => {
    expect(ticketOf(fields.hex("seed"), fields.hex("roundId"), fields.hex("worker"))).toBe(fields.hex("ticket"));
  },
  needed: (fields) => {
    const policy = {
      ...orders.DEFAULT_POLICY,
      confidence: fields.num("confidence"),
      faultyShareBps: fields.num("faultyShareBps"),
      replicasMin: fields.num("replicasMin"),
      replicasMax: fields.num("replicasMax"),
    };
    const needed = seatsNeeded(policy, targetOf(policy.confidence, fields.num("attempt")));
    expect(needed).toBe(fields.num("seatsNeeded"));
    expect(wantOf(needed, policy.faultyShareBps)).toBe(fields.num("want"));
  },
  seats: (fields) => {
    const stake = [fields.num("want"), fields.big("bond"), fields.big("poolBond")] as const;
    expect(hasSeat(fields.hex("ticket"), ...stake, fields.num("wave"))).toBe(fields.flag("seat"));
  },
  patience: (fields) => {
    const parameters = { patienceBaseSecs: fields.num("patienceBaseSecs"), fuelPerSec: fields.big("fuelPerSec") };
    const patience = terms.patienceOf(parameters, fields.big("fuelLimit"), fields.num("batchSize"));
    expect(patience).toBe(fields.big("patienceSecs"));
  },
};

const ofReceipts: Record<string, Check> = {
  leaves: (fields) => {
    expect(leafOf(receipt(fields), fields.big("cumulativeFuel"))).toBe(fields.hex("leaf"));
  },
  proofs: (fields) => {
    const proof = {
      receipt: receipt(fields),
      cumulativeFuel: fields.big("cumulativeFuel"),
      proof: fields.list("proof"),
    };
    expect(proves(proof, fields.hex("root"), fields.num("tasks"))).toBe(fields.flag("valid"));
  },
  ownTraceKeys: (fields) => {
    expect(ownTraceKey(fields.hex("worker"), fields.hex("roundId"), fields.num("index"))).toBe(fields.hex("key"));
  },
  ownTraceRoots: (fields) => {
    const leaves = fields.list("leaves");
    expect(rootOf(leaves)).toBe(fields.hex("root"));
    leaves.forEach((_, at) => expect(proofOf(leaves, at)).toHaveLength(Math.ceil(Math.log2(leaves.length))));
  },
};

const ofContributions: Record<string, Check> = {
  commitmentMessages: signed(messages.COMMITMENT, messages.certifierDomain),
  contributionMessages: signed(messages.CONTRIBUTION, messages.certifierDomain),
  listMessages: signed(messages.ROUND_LIST, messages.certifierDomain),
  reservationMessages: signed(messages.RESERVATION, messages.certifierDomain),
  unavailableMessages: signed(messages.UNAVAILABLE, messages.certifierDomain),
  workerKeyMessages: signed(messages.WORKER_KEY, messages.workforceDomain),
  commitments: (fields) => {
    const claim = [fields.hex("root"), fields.big("fuel"), fields.hex("ownTraceRoot")] as const;
    expect(messages.commitmentOf(fields.hex("worker"), fields.hex("roundId"), ...claim)).toBe(fields.hex("commitment"));
  },
  lists: (fields) => {
    const [waves, workers, commitments] = [fields.bigs("waves"), fields.bigs("workers"), fields.list("commitments")];
    const list = workers.map((worker, at) => ({
      wave: Number(waves[at]),
      worker: addressOf(worker),
      commitment: commitments[at]!,
    }));
    expect([0, 1, 2].map((wave) => listHash(sortedList([...list].reverse()), wave))).toEqual(fields.list("hashes"));
  },
  logs: (fields) => {
    const [a, b] = [fields.list("a"), fields.list("b")];
    const items = fields.bigs("words").map((word, at) => ({ word, a: a[at]!, b: b[at]! }));
    expect(wordHex(logHash(fields.hex("roundId"), items))).toBe(fields.hex("logHash"));
    for (const item of items) expect(readLogItem(item).kind).toMatch(/commitment|reveal/);
  },
  entries: (fields) => {
    const entry = {
      worker: fields.hex("worker"),
      claim: fields.num("claim"),
      wave: fields.num("wave"),
      onChain: fields.flag("onChain"),
    };
    expect(wordHex(packEntry(entry))).toBe(fields.hex("word"));
    expect(unpackEntry(fields.big("word"))).toEqual(entry);
  },
  members: (fields) => {
    const member = {
      worker: fields.hex("worker"),
      claim: fields.num("claim"),
      wave: fields.num("wave"),
      slash: fields.big("slash"),
      exposure: fields.big("exposure"),
    };
    expect(wordHex(certificate.packMember(member))).toBe(fields.hex("word"));
    expect(certificate.unpackMember(fields.big("word"))).toEqual(member);
  },
  membersHashes: (fields) => {
    const fuels = fields.bigs("rivalFuels");
    const rivals = fields.list("rivalRoots").map((root, at) => ({ root, fuel: fuels[at]! }));
    const roster = certificate.roster(fields.bigs("members"), rivals, fields.big("trail"));
    expect(roster).toBe(fields.hex("roster"));
    expect(certificate.membersHash(roster, fields.big("caseTerms"))).toBe(fields.hex("hash"));
  },
  certificates: (fields) => {
    const value = decode(certificate.CERTIFICATE, fromHex(fields.hex("encoded")));
    expect(certificate.certificateHash(value)).toBe(fields.hex("hash"));
    expect(wordHex(certificate.certificateSlot(value))).toBe(fields.hex("slotHash"));
  },
  parcels: (fields) => {
    const parcel = decode(certificate.PARCEL, fromHex(fields.hex("encoded")));
    expect(certificate.certificateHash(certificate.parcelCertificate(parcel))).toBe(fields.hex("certificateHash"));
    expect(certificate.parcelLeaf(parcel, fields.hex("outputDigest"))).toBe(fields.hex("leaf"));
  },
  signatures: async (fields) => {
    const signature = { r: fields.hex("r"), vs: fields.hex("vs") };
    expect(await signerOf(fields.hex("digest"), signature)).toBe(fields.hex("signer"));
  },
};

const ofConfidence: Record<string, Check> = {
  weights: (fields) => {
    const weighing = {
      faultyShareBps: fields.num("faultyShareBps"),
      countReputation: fields.flag("countReputation"),
      step: fields.big("step"),
    };
    expect(weightOf(weighing, fields.num("reputation"), fields.num("wave"))).toBe(fields.big("weight"));
  },
  groups: (fields) => expect(groupOf(fields.bigs("weights"))).toBe(fields.big("group")),
  opposing: (fields) => {
    expect(opposingOf(fields.bigs("rivals"), fields.bigs("silent"))).toBe(fields.big("opposing"));
  },
  odds: (fields) => expect(oddsOf(fields.big("leading"), fields.big("opposing"))).toBe(fields.big("odds")),
  targets: (fields) => {
    expect(targetOf(fields.num("confidence"), fields.num("attempt"))).toBe(fields.big("target"));
  },
};

const ofPayouts: Record<string, Check> = {
  batches: (fields) => {
    const prices = {
      tasks: fields.num("tasks"),
      fuelLimit: fields.big("fuelLimit"),
      feePerMfuel: fields.big("feePerMfuel"),
      appPrice: fields.big("appPrice"),
      datasetPrice: fields.big("datasetPrice"),
      replicasMax: fields.num("replicasMax"),
      poolShareBps: fields.num("poolShareBps"),
      protocolFeeBps: fields.num("protocolFeeBps"),
    };
    expect(payouts.lockOf(prices)).toBe(fields.big("lock"));
    const paid = payouts.payoutsOf(prices, fields.num("agreeing"), fields.big("fuel"));
    for (const name of ["toEachWorker", "toPool", "toApp", "toDataset", "refund"] as const) {
      expect(paid[name]).toBe(fields.big(name));
    }
  },
  units: (fields) => {
    const gross = fields.big("gross");
    expect(payouts.slashUnits(gross)).toBe(fields.big("slashUnits"));
    const rest = [fields.big("prices"), fields.big("collateralMin"), fields.num("agreeing")] as const;
    expect(payouts.exposureUnits(gross, ...rest)).toBe(fields.big("exposureUnits"));
  },
  escrows: (fields) => {
    const rest = [fields.num("extraExecutions"), fields.big("gross"), fields.num("winners")] as const;
    expect(payouts.escrowOf(fields.big("slashed"), ...rest)).toEqual({
      burnt: fields.big("burnt"),
      toPayer: fields.big("toPayer"),
      toEachWinner: fields.big("toEachWinner"),
    });
  },
  points: (fields) => {
    expect(payouts.reputationPoints(fields.big("protocolCut"), fields.num("step"))).toBe(fields.num("points"));
  },
};

const ofCases: Record<string, Check> = {
  ids: (fields) => {
    const of = (name: string): Hex => fields.hex(name);
    const words = [
      of("dealId"),
      of("facts"),
      of("stakes"),
      of("opener"),
      of("worker"),
      of("seal"),
      of("before"),
    ] as const;
    const [dealId, facts, stakes, opener, worker, seal, before] = words;
    const record = { dealId, facts: toBigint(facts), stakes: toBigint(stakes), opener, worker, seal, before };
    expect(encode(CASE, record)).toHaveLength(7 * 32);
    expect(caseId(record)).toBe(fields.hex("id"));
    expect(packFacts(caseFacts(record.facts))).toBe(record.facts);
    expect(packStakes(caseStakes(record.stakes))).toBe(record.stakes);
    expect(caseWindows(caseFacts(record.facts))).toEqual({
      commitEnd: fields.big("commitEnd"),
      revealEnd: fields.big("revealEnd"),
      appealEnd: fields.big("appealEnd"),
    });
  },
  findings: (fields) => {
    const [maker, finding] = [fields.hex("maker"), findingOf(receipt(fields))];
    expect(finding).toBe(fields.hex("finding"));
    const task = [fields.hex("dealId"), fields.num("batch"), fields.num("index")] as const;
    expect(sealOf(maker, ...task, finding, fields.hex("salt"))).toBe(fields.hex("seal"));
    expect(jurorCommitment(maker, fields.hex("caseId"), finding, fields.hex("ownTrace"))).toBe(
      fields.hex("commitment"),
    );
  },
};

const checks: Record<string, Record<string, Check>> = {
  orders: ofOrders,
  lot: ofLot,
  receipts: ofReceipts,
  contributions: ofContributions,
  confidence: ofConfidence,
  payouts: ofPayouts,
  cases: ofCases,
};

describe("vectors", () => {
  test("every section is checked", () => {
    const checked = Object.entries(checks).flatMap(([file, all]) => Object.keys(all).map((name) => `${file}.${name}`));
    expect(checked.sort()).toEqual(sections().sort());
  });

  for (const [file, all] of Object.entries(checks)) {
    for (const [name, check] of Object.entries(all)) {
      test(`${file}.${name}`, async () => {
        const found = cases(`${file}.${name}`);
        expect(found.length).toBeGreaterThan(0);
        for (const fields of found) {
          await check(fields);
          expect(fields.left()).toEqual([]);
        }
      });
    }
  }
});
