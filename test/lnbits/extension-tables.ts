import { npubEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { lnbitsTables } from '../../dev/seed';

export interface TestMachine {
  id: string;
  name: string;
  secretKey: Uint8Array;
  atmPubkey: string;
}

/**
 * The extension's tables in their real shape; LNbits has made its own. `spirekeeper` is a schema, or a file
 * that is attached.
 */
export async function extensionTables(): Promise<string> {
  const withoutAccounts = (await lnbitsTables()).replace(/CREATE TABLE accounts \([^;]*\);/, '');
  return `${withoutAccounts}
    INSERT INTO spirekeeper.super_config (super_cash_in_fee_fraction, super_cash_out_fee_fraction) VALUES (0.03, 0.03);`;
}

export const CASSETTES = {
  positions: { '1': { denomination: 20, count: 100 }, '2': { denomination: 50, count: 0 } },
};
/** 0.03 + 0.0333, and 0.03 + 0.0777, without the noise of binary fractions. */
export const FEES = {
  schema_version: 1,
  cash_in_fee_fraction: 0.0633,
  cash_out_fee_fraction: 0.1077,
  components: {
    super_cash_in: 0.03,
    super_cash_out: 0.03,
    operator_cash_in: 0.0333,
    operator_cash_out: 0.0777,
  },
};

/**
 * A machine with its key in hex, an inactive one with an npub, one that has not reported and one that is not
 * paired yet.
 */
export function machinesOf(operatorUserId: string): {
  paired: TestMachine[];
  silent: TestMachine;
  sql: string;
} {
  const make = (name: string): TestMachine => {
    const secretKey = generateSecretKey();
    return { id: `${operatorUserId}-${name}`, name, secretKey, atmPubkey: getPublicKey(secretKey) };
  };
  const [lobby, station, silent] = [make('lobby'), make('station'), make('silent')];
  const rows = [
    [lobby, lobby.atmPubkey.toUpperCase(), true],
    [station, npubEncode(station.atmPubkey), false],
    [silent, silent.atmPubkey, true],
    [make('unpaired'), undefined, true],
  ] as const;
  const values = rows.map(
    ([{ id, name }, key, active]) =>
      `('${id}', '${operatorUserId}', 'wallet-${id}', ${key === undefined ? 'NULL' : `'${key}'`}, '${name}', ${active}, 0.0333, 0.0777)`,
  );
  const cassettes = [lobby, station].flatMap(({ id }) => [`('${id}', 2, 50, 0)`, `('${id}', 1, 20, 100)`]);
  const sql = `
    INSERT INTO spirekeeper.dca_machines (id, operator_user_id, wallet_id, machine_npub, name, is_active,
        operator_cash_in_fee_fraction, operator_cash_out_fee_fraction) VALUES ${values.join(', ')};
    INSERT INTO spirekeeper.cassette_configs (machine_id, position, denomination, count) VALUES ${cassettes.join(', ')};`;
  return { paired: [lobby, station], silent, sql };
}
