/** Certificates: what the chain holds of a certified batch, and its members. */

import { concat, keccak, padded, Packer, toBigint, Unpacker, word, type Hex } from "./bytes";
import { addressOf, slotPart } from "./list";
import { leafOf } from "./receipts";
import { encode, struct, type Of } from "./struct";

export const CERTIFICATE = struct("Certificate", [
  ["bytes32", "dealId"],
  ["uint32", "batch"],
  ["uint8", "attempt"],
  ["bytes32", "root"],
  ["uint64", "fuel"],
  ["uint128", "odds"],
  ["uint96", "stake"],
  ["uint8", "seats"],
  ["uint8", "evidence"],
  ["uint8", "seedKind"],
  ["bytes32", "delivery"],
  ["uint256", "policy"],
  ["uint64", "certifiedAt"],
  ["uint64", "finalAt"],
  ["bytes32", "members"],
]);
export type Certificate = Of<typeof CERTIFICATE>;

/** Where a batch stands, in the order of its number. */
export const STATUSES = ["open", "provisional", "disputed", "final", "reopened", "void", "expired"] as const;
export type Status = (typeof STATUSES)[number];

export function certificateHash(certificate: Certificate): Hex {
  return keccak(encode(CERTIFICATE, certificate));
}

/** What of the certificate's hash stands in the batch's slot. */
export function certificateSlot(certificate: Certificate): bigint {
  return slotPart(certificateHash(certificate));
}

/** The status in a batch's slot; nothing for a number that is none. */
export function slotStatus(slot: bigint): Status | undefined {
  return STATUSES[Number(slot & 255n)];
}

/** Whether this is the slot of that certificate, whatever status and deliveries. */
export function slotHolds(slot: bigint, certificate: Certificate): boolean {
  return (slot >> 40n) << 40n === certificateSlot(certificate);
}

/** One member of a certified round, as the event shows it. Stakes in bond units. */
export interface Member {
  readonly worker: Hex;
  readonly claim: number;
  readonly wave: number;
  readonly slash: bigint;
  readonly exposure: bigint;
}

export function packMember(member: Member): bigint {
  const low = new Packer().put(member.exposure, 40).put(member.slash, 40).put(member.wave, 8).put(member.claim, 8);
  return low.value | (toBigint(member.worker) << 96n);
}

export function unpackMember(value: bigint): Member {
  const fields = new Unpacker(value);
  const exposure = fields.take(40);
  const slash = fields.take(40);
  const wave = fields.number(8);
  return { worker: addressOf(value >> 96n), claim: fields.number(8), wave, slash, exposure };
}

/** A root and its fuel. */
export interface Claim {
  readonly root: Hex;
  readonly fuel: bigint;
}

/** The `members` of a certificate: over its roster and what cases need of the terms. */
export function membersHash(rosterHash: Hex, caseTerms: bigint): Hex {
  return keccak(concat([padded(rosterHash), word(caseTerms)]));
}

/** Hash over a certificate's member words, root and fuel of each rival, then the trail. */
export function roster(members: readonly bigint[], rivals: readonly Claim[], trail: bigint): Hex {
  const claims = rivals.flatMap((rival) => [padded(rival.root), word(rival.fuel)]);
  return keccak(concat([...members.map(word), ...claims, word(trail)]));
}

/** Block in which the batch was certified. */
export function trailBlock(trail: bigint): bigint {
  return new Unpacker(trail).take(40);
}

/** A parcel: what a delivery brings of certificate, terms and receipt. */
export const PARCEL = struct("Parcel", [
  ["bytes32", "dealId"],
  ["bytes32", "root"],
  ["uint256", "facts"],
  ["uint256", "backing"],
  ["uint256", "policy"],
  ["bytes32", "members"],
  ["address", "requester"],
  ["uint256", "app"],
  ["uint256", "dataset"],
  ["bytes32", "inputs"],
  ["uint256", "callback"],
  ["uint256", "sizes"],
  ["uint256", "run"],
  ["bytes32", "traceDigest"],
]);
export type Parcel = Of<typeof PARCEL>;

/** The certificate that a parcel says it delivers under. */
export function parcelCertificate(parcel: Parcel): Certificate {
  const facts = new Unpacker(parcel.facts);
  const backing = new Unpacker(parcel.backing);
  const batch = facts.number(32);
  const [attempt, seats, evidence, seedKind] = [facts.number(8), facts.number(8), facts.number(8), facts.number(8)];
  const [fuel, certifiedAt, finalAt] = [facts.take(64), facts.take(64), facts.take(64)];
  const { requester, app, dataset, inputs, callback, sizes } = parcel;
  const delivery = keccak(
    concat([padded(requester), word(app), word(dataset), padded(inputs), word(callback), word(sizes)]),
  );
  return {
    dealId: parcel.dealId,
    batch,
    attempt: attempt!,
    root: parcel.root,
    fuel: fuel!,
    odds: backing.take(128),
    stake: backing.take(96),
    seats: seats!,
    evidence: evidence!,
    seedKind: seedKind!,
    delivery,
    policy: parcel.policy,
    certifiedAt: certifiedAt!,
    finalAt: finalAt!,
    members: parcel.members,
  };
}

/** The leaf of the receipt that a parcel brings; the output's digest follows from the output. */
export function parcelLeaf(parcel: Parcel, outputDigest: Hex): Hex {
  const run = new Unpacker(parcel.run);
  const [index, exit] = [run.number(32), run.number(8)];
  const [fuel, cumulativeFuel] = [run.take(64), run.take(64)];
  return leafOf({ index, exit, fuel, outputDigest, traceDigest: parcel.traceDigest }, cumulativeFuel);
}
