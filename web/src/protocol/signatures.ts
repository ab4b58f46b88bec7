/** Who signed a digest: signatures in 64 bytes (EIP-2098). The curve is loaded when it is first needed. */

import { recoverAddress } from "viem/utils";

import { toBigint, wordHex, type Hex } from "./bytes";

export interface CompactSignature {
  readonly r: Hex;
  readonly vs: Hex;
}

/** The signer; nothing where no key makes this signature. */
export async function signerOf(digest: Hex, { r, vs }: CompactSignature): Promise<Hex | undefined> {
  const value = toBigint(vs);
  const s = wordHex(value & ((1n << 255n) - 1n));
  try {
    const signer = await recoverAddress({ hash: digest, signature: { r, s, yParity: Number(value >> 255n) } });
    return signer.toLowerCase() as Hex;
  } catch {
    return undefined;
  }
}
