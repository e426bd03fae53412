import { Client } from 'pg';
import { ensureError } from '../contract/failures';
import { sqlIdentifier } from './identifier';

/**
 * Makes a database, as a copy of `template` when one is given (which nobody may be connected to at that
 * moment).
 *
 * @param adminUrl `postgres://...` of any database of the server, with a role that may create databases.
 * @returns the new database's URL, with the same role.
 */
export async function createDatabase(adminUrl: string, name: string, template?: string): Promise<string> {
  const from = template === undefined ? '' : ` TEMPLATE ${sqlIdentifier(template)}`;
  await runAlone(adminUrl, `CREATE DATABASE ${sqlIdentifier(name)}${from}`, `create database "${name}"`);
  const url = new URL(adminUrl);
  // Not encodeURIComponent: pg decodes with decodeURI, which leaves %2F and the like as they are.
  url.pathname = `/${encodeURI(name)}`;
  return url.toString();
}

/** Removes a database, ending the connections to it; one that does not exist is no error. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  await runAlone(
    adminUrl,
    `DROP DATABASE IF EXISTS ${sqlIdentifier(name)} WITH (FORCE)`,
    `drop database "${name}"`,
  );
}

/** CREATE and DROP DATABASE run in no transaction, and only once: a connection of their own, no pool. */
async function runAlone(adminUrl: string, statement: string, doing: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
  // Without a listener a connection that breaks between two calls would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(statement);
  } catch (thrown) {
    const error = ensureError(thrown);
    throw new Error(
      `Postgres could not ${doing}: ${error.message || String((thrown as { code?: string }).code)}`,
      {
        cause: error,
      },
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}
