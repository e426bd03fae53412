import { randomUUID } from 'node:crypto';
import { createDatabase, dropDatabase } from '../../database/admin';
import { type Database, openDatabase } from '../../database/connection';
import { migrate, schemaVersions } from '../../database/migrate';
import { testServers } from '../support/servers';

/** On a database without the schema. */
async function onFresh(work: (open: () => Database) => Promise<void>): Promise<void> {
  const { postgresUrl } = testServers();
  const name = `fresh_${randomUUID().replaceAll('-', '')}`;
  const url = await createDatabase(postgresUrl, name);
  const opened: Database[] = [];
  try {
    await work(() => {
      const database = openDatabase({ url, maxConnections: 2 });
      opened.push(database);
      return database;
    });
  } finally {
    await Promise.all(opened.map((database) => database.close()));
    await dropDatabase(postgresUrl, name);
  }
}

test('many workers at once apply the migrations once', () =>
  onFresh(async (open) => {
    const reports = await Promise.all(Array.from({ length: 5 }, () => migrate(open())));
    expect(reports.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
    expect(new Set(reports.map(({ version }) => version)).size).toBe(1);
    const version = reports[0]?.version;
    expect(await schemaVersions(open())).toEqual({ database: version, release: version });
  }));

test('a table that somebody holds is not waited for without end, and that is said', () =>
  onFresh(async (open) => {
    const database = open();
    await database.query('CREATE SCHEMA republish');
    await database.query(
      'CREATE TABLE republish.migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    await database.transaction(async (client) => {
      await client.query('LOCK TABLE republish.migrations IN EXCLUSIVE MODE');
      await expect(migrate(open(), 200)).rejects.toMatchObject({
        type: 'DatabaseUnavailable',
        message: expect.stringContaining('another transaction holds what this needs') as string,
      });
    });
    // All or nothing: what was applied before the wait is applied again.
    expect((await migrate(database, 200)).applied).toEqual(['0001_ledger.sql']);
  }));

test('a schema that is newer than this release is left alone, and the remedy is named', () =>
  onFresh(async (open) => {
    const database = open();
    await migrate(database);
    await database.query("INSERT INTO republish.migrations (version, name) VALUES (9999, 'from the future')");
    await expect(migrate(database)).rejects.toMatchObject({
      type: 'DatabaseMisconfigured',
      message: expect.stringContaining('run a newer release') as string,
    });
  }));
