import { randomUUID } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { createDatabase, dropDatabase } from '../../database/admin';
import { type Database, openDatabase } from '../../database/connection';
import { testServers } from './servers';

/** A database of a test's own, as somebody else may have set it up, and roles that see it. */
export interface SetUpDatabase {
  /** With a superuser. */
  admin: Database;
  url: string;
  name: string;
  /** A role that may log in; its URL. @param attributes SQL, such as `CONNECTION LIMIT 2` */
  role(attributes?: string): Promise<{ name: string; url: string }>;
  /** Closed with the database. */
  open(url: string, maxConnections?: number): Database;
  stop(): Promise<void>;
}

/**
 * @param options `template` as createDatabase has it; `encoding` of an empty database; `settings` of the
 * database, as SQL behind
 *   `SET`
 */
export async function setUpDatabase(
  options: { template?: string; encoding?: string; settings?: string[]; postgresUrl?: string } = {},
): Promise<SetUpDatabase> {
  const postgresUrl = options.postgresUrl ?? testServers().postgresUrl;
  const name = `people_${randomUUID().replaceAll('-', '')}`;
  const server = openDatabase({ url: postgresUrl, maxConnections: 1 });
  if (options.encoding === undefined) await createDatabase(postgresUrl, name, options.template);
  else
    await server.query(
      `CREATE DATABASE ${name} ENCODING '${options.encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
  for (const setting of options.settings ?? []) await server.query(`ALTER DATABASE ${name} SET ${setting}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  const opened: Database[] = [];
  const roles: string[] = [];
  const open = (at: string, maxConnections = 5): Database => {
    const database = openDatabase({ url: at, maxConnections });
    opened.push(database);
    return database;
  };
  return {
    admin: open(url.href),
    url: url.href,
    name,
    async role(attributes = '') {
      const role = `role_${randomUUID().replaceAll('-', '')}`;
      await server.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret' ${attributes}`);
      roles.push(role);
      const own = new URL(url.href);
      own.username = role;
      own.password = 'secret';
      return { name: role, url: own.href };
    },
    open,
    async stop() {
      await Promise.all(opened.map((database) => database.close()));
      await dropDatabase(postgresUrl, name);
      for (const role of roles) await server.query(`DROP ROLE ${escapeIdentifier(role)}`);
      await server.close();
    },
  };
}

/** All that an application's role is given where nobody thinks about it. */
export const ALL_RIGHTS = (role: string): string =>
  ['republish', 'public', 'spirekeeper']
    .flatMap((schema) => [
      `GRANT ALL ON SCHEMA ${schema} TO ${role}`,
      `GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role}`,
    ])
    .join('; ');
