import type { Queryable, Writable } from './connection';

/** A row of `republish.signers`: the current signer of an operator. */
export type SignerRow = {
  operatorUserId: string;
  /** Public key that signs the documents, hex. */
  pubkey: string;
  /** NIP-49. Kind `local`: the operator's key. Kind `bunker`: the client key. */
  ncryptsec: string;
  /** ISO 8601, whole seconds. */
  addedAt: string;
} & ({ kind: 'local' } | ({ kind: 'bunker' } & BunkerColumns));

const COLUMNS = `operator_user_id AS "operatorUserId", kind, pubkey, ncryptsec,
  bunker_pubkey AS "bunkerPubkey", bunker_relays AS "bunkerRelays", named_relays AS "namedRelays",
  to_char(added_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "addedAt"`;

/**
 * The signer of an operator as a JSON subquery, for statements that read other tables too.
 *
 * @param operatorUserId an SQL expression, such as `run.operator_user_id`
 */
export function signerAsJson(operatorUserId: string): string {
  return `(SELECT row_to_json(signer)
     FROM (SELECT ${COLUMNS} FROM republish.signers WHERE operator_user_id = ${operatorUserId}) AS signer)`;
}

export async function findSigner(db: Queryable, operatorUserId: string): Promise<SignerRow | undefined> {
  const [row] = await db.query<SignerRow>(
    `SELECT ${COLUMNS} FROM republish.signers WHERE operator_user_id = $1`,
    [operatorUserId],
  );
  return row;
}

export function listSigners(db: Queryable): Promise<SignerRow[]> {
  return db.query<SignerRow>(`SELECT ${COLUMNS} FROM republish.signers ORDER BY operator_user_id`);
}

/** The next operators after `after` that have a signer in the ledger, in the byte order of their ids. */
export async function listSignerOwners(
  db: Queryable,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT operator_user_id AS id FROM republish.signers
      WHERE $1::text IS NULL OR operator_user_id COLLATE "C" > $1::text
      ORDER BY operator_user_id COLLATE "C" LIMIT $2`,
    [after ?? null, limit],
  );
  return rows.map(({ id }) => id);
}

/** Stores the operator's current signer in `republish.signers`. It replaces the earlier one. */
export async function putSigner(
  db: Writable,
  signer: Omit<SignerRow, 'addedAt'> & Partial<BunkerColumns>,
): Promise<void> {
  await db.query(
    `INSERT INTO republish.signers
            (operator_user_id, kind, pubkey, ncryptsec, bunker_pubkey, bunker_relays, named_relays)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (operator_user_id) DO UPDATE
       SET kind = EXCLUDED.kind, pubkey = EXCLUDED.pubkey, ncryptsec = EXCLUDED.ncryptsec,
           bunker_pubkey = EXCLUDED.bunker_pubkey, bunker_relays = EXCLUDED.bunker_relays,
           named_relays = EXCLUDED.named_relays, added_at = now()`,
    [
      signer.operatorUserId,
      signer.kind,
      signer.pubkey,
      signer.ncryptsec,
      signer.bunkerPubkey ?? null,
      signer.bunkerRelays ?? null,
      signer.namedRelays ?? null,
    ],
  );
}

interface BunkerColumns {
  /** The bunker key, hex. */
  bunkerPubkey: string;
  /** The relays over which the bunker is reached now. */
  bunkerRelays: string[];
  /** The relays of the bunker URI, or those that were given with `--nostrconnect`. */
  namedRelays: string[];
}

/**
 * Stores the relays to which a bunker has moved. Does nothing when the stored signer is no longer the one
 * that was asked: a person may pair another one at the same time.
 */
export async function keepBunkerRelays(
  db: Writable,
  stored: { ncryptsec: string; bunkerRelays: string[] },
  relays: string[],
): Promise<void> {
  await db.query(
    'UPDATE republish.signers SET bunker_relays = $3 WHERE ncryptsec = $1 AND bunker_relays = $2',
    [stored.ncryptsec, stored.bunkerRelays, relays],
  );
}

/**
 * Deletes the operator's signer, its measured speed, and the client keys of all its pairings.
 *
 * @returns whether the operator had a signer
 */
export async function deleteSigner(db: Writable, operatorUserId: string): Promise<boolean> {
  await db.query('DELETE FROM republish.pairings WHERE operator_user_id = $1', [operatorUserId]);
  await db.query('DELETE FROM republish.signer_checks WHERE operator_user_id = $1', [operatorUserId]);
  const rows = await db.query('DELETE FROM republish.signers WHERE operator_user_id = $1 RETURNING 1', [
    operatorUserId,
  ]);
  return rows.length > 0;
}

/**
 * Stores the client key of a pairing in `republish.pairings`, unless an earlier pairing with the same bunker
 * URI has stored one. The caller does this before `connect`: the secret of the URI works once, so the client
 * key must survive a crash.
 *
 * @param pairing `secretTag` distinguishes the URIs of one bunker
 * @returns the client key to use (NIP-49)
 */
export async function beginPairing(
  db: Writable,
  pairing: { operatorUserId: string; bunkerPubkey: string; secretTag: string; ncryptsec: string },
): Promise<string> {
  const [row] = await db.query<{ ncryptsec: string }>(
    `INSERT INTO republish.pairings (operator_user_id, bunker_pubkey, secret_tag, ncryptsec)
     VALUES ($1, $2, $3, $4)
     ON CONFLICT (operator_user_id, bunker_pubkey, secret_tag) DO UPDATE SET begun_at = now()
     RETURNING ncryptsec`,
    [pairing.operatorUserId, pairing.bunkerPubkey, pairing.secretTag, pairing.ncryptsec],
  );
  return row?.ncryptsec ?? pairing.ncryptsec;
}
