import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import type { Database } from '../database/connection';

/** A machine of a seeded operator; the key is the machine's own. */
export interface SeededMachine {
  id: string;
  name: string;
  secretKey: Uint8Array;
  atmPubkey: string;
}

const PLACES = ['Lobby', 'Station', 'Market', 'Harbour', 'Airport', 'Arcade', 'Library', 'Garden'];

/** Creates the tables of the reference schema. */
export async function createReferenceSchema(database: Database): Promise<void> {
  await database.query(await readFile(path.join(__dirname, '../database/reference-schema.sql'), 'utf8'));
}

/** Inserts an operator's account and machines, each with cassettes and fees of its own. */
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
  await database.query(
    `INSERT INTO dca_machines (id, operator_user_id, name, atm_pubkey)
     SELECT id, $1, name, atm_pubkey FROM unnest($2::text[], $3::text[], $4::text[]) AS machine (id, name, atm_pubkey)`,
    [
      operator.id,
      machines.map(({ id }) => id),
      machines.map(({ name }) => name),
      machines.map(({ atmPubkey }) => atmPubkey),
    ],
  );
  const ids = machines.map(({ id }) => id);
  await database.query(
    `INSERT INTO bitspire_cassettes (machine_id, position, denomination, count, currency)
     SELECT id, position, (ARRAY[20, 50, 100])[position], 100 + (row_number() OVER ()) * position % 400, 'EUR'
       FROM unnest($1::text[]) AS machine (id), generate_series(1, 3) AS position`,
    [ids],
  );
  await database.query(
    `INSERT INTO bitspire_fees (machine_id, cash_in_percent, cash_out_percent, fixed_fee, minimum_amount, maximum_amount, currency)
     SELECT id, 3 + number % 5, 4.5 + number % 3, 0.5, 10, 1000, 'EUR' FROM unnest($1::text[]) WITH ORDINALITY AS machine (id, number)`,
    [ids],
  );
  return machines;
}
