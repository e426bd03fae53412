import type { Queryable } from '../database/connection';
import { lastSignatures } from '../database/ledger/speed';
import { findSignerCheck } from '../database/signer-checks';
import type { SignerRow } from '../database/signers';
import type { UnstoredSigner } from '../nostr/signers/operator-signers';
import { nameOfSigner } from '../nostr/signers/keyring';
import { expectedMs, LEAST_SIGNATURES, msBetweenSignatures } from '../rules/signer-speed';

/** How long the signer will probably take. */
export interface Estimate {
  documents: number;
  tookMs: number;
  /** An upper bound: it can be faster. */
  atMost: boolean;
  /** Which measurement it is based on: the last run with this signer, or `signer check --deep`. */
  from: 'run' | 'check';
  /** When that was measured, ISO 8601. */
  measuredAt: string;
}

/** Based on the newest measurement of this signer. Null: there is none, or nothing has to be signed. */
export async function estimateFor(
  db: Queryable,
  operatorUserId: string,
  signer: SignerRow | UnstoredSigner,
  documents: number,
): Promise<Estimate | null> {
  if (documents === 0) return null;
  const name = nameOfSigner(signer);
  const [signedAtMs, check] = await Promise.all([
    lastSignatures(db, { operatorUserId, signer: name, least: LEAST_SIGNATURES }),
    findSignerCheck(db, operatorUserId, name),
  ]);
  const msPerDocument = msBetweenSignatures(signedAtMs);
  const lastMs = Math.max(...signedAtMs);
  const told = (speed: { msPerDocument: number; atMost: boolean }, from: Estimate['from'], atMs: number) => ({
    documents,
    tookMs: Math.round(expectedMs(documents, speed)),
    atMost: speed.atMost,
    from,
    measuredAt: new Date(atMs).toISOString(),
  });
  if (msPerDocument !== undefined && lastMs > (check?.checkedAtMs ?? -Infinity))
    return told({ msPerDocument, atMost: false }, 'run', lastMs);
  return check === undefined ? null : told(check, 'check', check.checkedAtMs);
}
