import type { Queryable } from '../connection';

/** Enough for an estimate of the speed. */
const MAX_SIGNATURES = 200;

/**
 * The times of the newest signatures in the operator's newest run in which this signer made at least `least`.
 *
 * @returns milliseconds since the epoch, newest first. Empty: there is no such run
 */
export async function lastSignatures(
  db: Queryable,
  { operatorUserId, signer, least }: { operatorUserId: string; signer: string; least: number },
): Promise<number[]> {
  const rows = await db.query<{ atMs: number }>(
    `SELECT (extract(epoch FROM signed_at) * 1000)::float8 AS "atMs" FROM republish.documents
      WHERE signature IS NOT NULL AND NOT reused AND run_id = (
        SELECT run.run_id FROM republish.runs AS run
          JOIN republish.signer_proofs AS proof ON proof.run_id = run.run_id AND proof.signer = $2
         WHERE run.operator_user_id = $1
           AND EXISTS (SELECT FROM republish.documents AS signed
                        WHERE signed.run_id = run.run_id
                          AND signed.signature IS NOT NULL AND NOT signed.reused
                       OFFSET $3 - 1)
         ORDER BY run.started_at DESC LIMIT 1)
      ORDER BY signed_at DESC LIMIT ${MAX_SIGNATURES}`,
    [operatorUserId, signer, least],
  );
  return rows.map(({ atMs }) => atMs);
}
