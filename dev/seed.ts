import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { npubEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import type { Database } from '../database/connection';

/** A machine of a seeded operator, with its own key. */
export interface SeededMachine {
  id: string;
  name: string;
  secretKey: Uint8Array;
  atmPubkey: string;
}

const PLACES = ['Lobby', 'Station', 'Market', 'Harbour', 'Airport', 'Arcade', 'Library', 'Garden'];

/**
 * Statements that create LNbits' tables and those of spirekeeper, a schema (Postgres) or an attached file
 * (SQLite).
 */
export function lnbitsTables(): Promise<string> {
  return readFile(path.join(__dirname, 'lnbits-tables.sql'), 'utf8');
}

/**
 * Creates LNbits' tables and those of spirekeeper in a Postgres database, with the fees of the super user.
 */
export async function createLnbitsTables(database: Database): Promise<void> {
  await database.query('CREATE SCHEMA spirekeeper');
  await database.query(await lnbitsTables());
  await database.query(
    `INSERT INTO spirekeeper.super_config (super_cash_in_fee_fraction, super_cash_out_fee_fraction)
     VALUES (0.03, 0.03)`,
  );
}

/**
 * Inserts an operator's account and machines, each with cassettes and fees. Two of three machine keys are hex
 * and one is an npub: installations have both.
 */
export async function seedOperator(
  database: Database,
  operator: { id: string; pubkey: string; machines: number },
): Promise<SeededMachine[]> {
  await database.query('INSERT INTO accounts (id, pubkey) VALUES ($1, $2)', [operator.id, operator.pubkey]);
  const machines = Array.from({ length: operator.machines }, (_, index): SeededMachine => {
    const secretKey = generateSecretKey();
    const name = `${PLACES[index % PLACES.length] ?? ''} ATM ${index + 1}`;
    const number = String(index + 1).padStart(5, '0');
    return { id: `${operator.id}-machine-${number}`, name, secretKey, atmPubkey: getPublicKey(secretKey) };
  });
  const ids = machines.map(({ id }) => id);
  await database.query(
    `INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, name, machine_npub, paired_at,
                                           operator_cash_in_fee_fraction, operator_cash_out_fee_fraction)
     SELECT id, $1, id || '-wallet', name, machine_npub, now(),
            0.0333 + number % 5 * 0.01, 0.0777 + number % 3 * 0.01
       FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY
              AS machine (id, name, machine_npub, number)`,
    [
      operator.id,
      ids,
      machines.map(({ name }) => name),
      machines.map(({ atmPubkey }, index) => (index % 3 === 2 ? npubEncode(atmPubkey) : atmPubkey)),
    ],
  );
  await database.query(
    `INSERT INTO spirekeeper.cassette_configs
            (machine_id, position, denomination, count, state_denomination, state_count, state_at)
     SELECT id, position, (ARRAY[20, 50, 100])[position], 100 + number::int * position % 400,
            (ARRAY[20, 50, 100])[position], 500, now()
       FROM unnest($1::text[]) WITH ORDINALITY AS machine (id, number), generate_series(1, 3) AS position`,
    [ids],
  );
  return machines;
}
