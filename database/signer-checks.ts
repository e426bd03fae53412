import type { Queryable, Writable } from './connection';

/** How quick a signer was when it was tried. */
export interface SignerCheckRow {
  msPerDocument: number;
  atMost: boolean;
  /** Milliseconds since the epoch. */
  checkedAtMs: number;
}

/** @param check `signer` as in signer_proofs; `speed` null: that is not known (any more) */
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
    `INSERT INTO republish.signer_checks (operator_user_id, signer, ms_per_document, at_most) VALUES ($1, $2, $3, $4)
     ON CONFLICT (operator_user_id) DO UPDATE
       SET signer = EXCLUDED.signer, ms_per_document = EXCLUDED.ms_per_document, at_most = EXCLUDED.at_most,
           checked_at = now()`,
    [operatorUserId, signer, speed.msPerDocument, speed.atMost],
  );
}

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
