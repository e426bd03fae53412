import { chmod, chown, copyFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import { type RunningPostgres, startPostgres } from '../../embedded/postgres';
import { until } from './until';

const CERTIFICATES = path.join(__dirname, 'certificates');
export const PRIVATE_CA = path.join(CERTIFICATES, 'ca.crt');

/** A server of its own with TLS, whose certificate for `localhost` a private CA has signed. */
export async function startTlsPostgres(settings: Record<string, string> = {}): Promise<RunningPostgres> {
  const postgres = await startPostgres({ settings });
  // The key has to be its user's own.
  const { uid, gid } = await stat(postgres.dataDir);
  for (const name of ['server.crt', 'server.key']) {
    const file = path.join(postgres.dataDir, name);
    await copyFile(path.join(CERTIFICATES, name), file);
    await chown(file, uid, gid);
    await chmod(file, 0o600);
  }
  await configure(postgres, ['ALTER SYSTEM SET ssl = on']);
  return postgres;
}

/** Runs statements, has the server read its configuration again, and waits until it has. */
export async function configure(postgres: RunningPostgres, statements: string[]): Promise<void> {
  const client = new Client({ connectionString: postgres.url, ssl: false });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
    const { rows } = await client.query<{ at: string }>('SELECT pg_conf_load_time()::text AS at');
    await client.query('SELECT pg_reload_conf()');
    await until(async () => {
      const now = await client.query<{ at: string }>('SELECT pg_conf_load_time()::text AS at');
      return now.rows[0]?.at !== rows[0]?.at;
    });
  } finally {
    await client.end();
  }
}
