import { Client } from 'pg';
import { ensureError } from '../contract/failures';
import { sqlIdentifier } from './identifier';

/**
 * Creates a database on the server.
 *
 * @param adminUrl `postgres://...` of any database of that server, with a role that may create databases
 * @param template the database to copy; Postgres refuses while anybody is connected to it
 * @returns the URL of the new database, with the same role
 */
export async function createDatabase(adminUrl: string, name: string, template?: string): Promise<string> {
  const from = template === undefined ? '' : ` TEMPLATE ${sqlIdentifier(template)}`;
  await runAlone(adminUrl, `CREATE DATABASE ${sqlIdentifier(name)}${from}`, `create database "${name}"`);
  const url = new URL(adminUrl);
  // Not encodeURIComponent: pg decodes with decodeURI, which does not decode %2F.
  url.pathname = `/${encodeURI(name)}`;
  return url.toString();
}

/** Drops a database and ends the connections to it. Does nothing when there is no such database. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  await runAlone(
    adminUrl,
    `DROP DATABASE IF EXISTS ${sqlIdentifier(name)} WITH (FORCE)`,
    `drop database "${name}"`,
  );
}

/** CREATE and DROP DATABASE cannot run inside a transaction, so they get a connection of their own. */
async function runAlone(adminUrl: string, statement: string, doing: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
  // Without a listener, a connection that breaks between two calls ends the process.
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
