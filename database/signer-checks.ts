import type { Queryable, Writable } from './connection';

/** The speed of a signer, measured by `republish signer check --deep`. */
export interface SignerCheckRow {
  msPerDocument: number;
  /** A document takes at most this long: the signer answered all requests of the check at the same time. */
  atMost: boolean;
  /** Since the epoch, by the clock of Postgres. */
  checkedAtMs: number;
}

/**
 * Stores the speed of an operator's signer in `republish.signer_checks`, or deletes it.
 *
 * @param check `signer` is the name of the signer as in `signer_proofs`. `speed` null: it could not be
 *   measured
 */
export async function keepSignerCheck(
  db: Writable,
  check: {
    operatorUserId: string;
    signer: string;
    speed: Pick<SignerCheckRow, 'msPerDocument' | 'atMost'> | null;
  },
): Promise<void> {
  const { operatorUserId, signer, speed } = check;
  if (speed === null) {
    await db.query('DELETE FROM republish.signer_checks WHERE operator_user_id = $1', [operatorUserId]);
    return;
  }
  await db.query(
    `INSERT INTO republish.signer_checks (operator_user_id, signer, ms_per_document, at_most)
     VALUES ($1, $2, $3, $4)
     ON CONFLICT (operator_user_id) DO UPDATE
       SET signer = EXCLUDED.signer, ms_per_document = EXCLUDED.ms_per_document, at_most = EXCLUDED.at_most,
           checked_at = now()`,
    [operatorUserId, signer, speed.msPerDocument, speed.atMost],
  );
}

/** The stored speed, if it is of this signer. A signer that was paired again has another name. */
export async function findSignerCheck(
  db: Queryable,
  operatorUserId: string,
  signer: string,
): Promise<SignerCheckRow | undefined> {
  const [row] = await db.query<SignerCheckRow>(
    `SELECT ms_per_document AS "msPerDocument", at_most AS "atMost",
            (extract(epoch FROM checked_at) * 1000)::float8 AS "checkedAtMs"
       FROM republish.signer_checks WHERE operator_user_id = $1 AND signer = $2`,
    [operatorUserId, signer],
  );
  return row;
}
