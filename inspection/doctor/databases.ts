import type { Configuration } from '../../configuration/schema';
import { type Parts, sourceFor } from '../../assembly/parts';
import { openReadOnlyDatabase, type ReadOnlyDatabase } from '../../database/connection';
import type { Source } from '../../sources/source';

/**
 * The databases that the doctor checks. All checks share one connection each: a role may have only two, and a
 * worker may use the other.
 */
export interface Databases {
  /** @throws RepublishError DatabaseMisconfigured, Error: its URL cannot be used, or is not there */
  ledger(): ReadOnlyDatabase;
  /** LNbits' database, over the same connection if both are one database. @throws as `ledger` */
  source(): Source;
  close(): Promise<void>;
}

export function openDatabases(configuration: Configuration, parts: Parts): Databases {
  const { databaseUrl, lnbitsDatabaseUrl } = configuration;
  const ledger = once(() => {
    if (databaseUrl === undefined) throw new Error('DATABASE_URL is not set');
    return openReadOnlyDatabase({ url: databaseUrl, maxConnections: 1 });
  });
  const source = once(() => {
    if (lnbitsDatabaseUrl === undefined) throw new Error('LNBITS_DATABASE_URL is not set');
    const shared = databaseUrl === lnbitsDatabaseUrl ? ledger.get() : undefined;
    return sourceFor({ ...configuration, lnbitsDatabaseUrl }, parts, {
      maxConnections: 1,
      ...(shared === undefined ? {} : { ledger: { url: lnbitsDatabaseUrl, database: shared } }),
    });
  });
  return {
    ledger: ledger.get,
    source: source.get,
    async close() {
      await source.made()?.close();
      await ledger.made()?.close();
    },
  };
}

function once<T>(make: () => T): { get(): T; made(): T | undefined } {
  let made: T | undefined;
  return { get: () => (made ??= make()), made: () => made };
}

/** Undefined: it cannot be opened, which its own check reports. */
export function orNone<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
