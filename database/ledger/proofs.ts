import type { Queryable, Writable } from '../connection';
import { OPEN_RUN } from './documents';

/**
 * Whether a signer passed `proveSigner` in this run.
 *
 * @param signer as `nameOfSigner` makes it: `<kind> <bunker key or pubkey> <hash of the stored key>`; without
 *   the hash for a signer of a provider
 */
export async function isProved(db: Queryable, runId: string, signer: string): Promise<boolean> {
  const rows = await db.query('SELECT 1 FROM republish.signer_proofs WHERE run_id = $1 AND signer = $2', [
    runId,
    signer,
  ]);
  return rows.length > 0;
}

/** Writes the signer proof: the signer has named its key, and a machine can decrypt what it encrypts. */
export async function keepProof(db: Writable, runId: string, signer: string): Promise<void> {
  await db.query(
    `WITH ${OPEN_RUN}
     INSERT INTO republish.signer_proofs (run_id, signer) SELECT run_id, $2 FROM run
     ON CONFLICT (run_id, signer) DO NOTHING`,
    [runId, signer],
  );
}
