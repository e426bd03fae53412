import type { Configuration } from '../../configuration/schema';
import { sourceOptions } from '../../assembly/build-dependencies';
import { type Database, openDatabase } from '../../database/connection';
import type { DocumentType } from '../../documents/document-type';
import { openSource } from '../../sources/open';
import type { Source } from '../../sources/source';
import { parseLnbitsUrl } from '../../sources/url';

/**
 * What the doctor's checks look at, opened once for all of them, with one connection each: a role may have been given two, and a
 * worker be using the other.
 */
export interface Databases {
  /** @throws RepublishError DatabaseMisconfigured, Error: its URL cannot be used, or is not there */
  ledger(): Database;
  /** LNbits' Postgres, the same connection where it is the same database; undefined: it is on SQLite. @throws as `ledger` */
  lnbits(): Database | undefined;
  /** What is read of it. @throws as `ledger` */
  source(): Source;
  close(): Promise<void>;
}

export function openDatabases(
  configuration: Configuration,
  documentTypes: readonly DocumentType[],
): Databases {
  const { databaseUrl, lnbitsDatabaseUrl } = configuration;
  const ledger = once(() => {
    if (databaseUrl === undefined) throw new Error('DATABASE_URL is not set');
    return openDatabase({ url: databaseUrl, maxConnections: 1 });
  });
  const lnbits = once(() => {
    const parsed = parseLnbitsUrl(requireLnbits(lnbitsDatabaseUrl));
    if (parsed.kind === 'sqlite') return undefined;
    if (databaseUrl === lnbitsDatabaseUrl) return ledger.get();
    return openDatabase({ url: parsed.url, maxConnections: 1 });
  });
  const source = once(() => {
    const url = requireLnbits(lnbitsDatabaseUrl);
    const database = lnbits.get();
    return openSource({
      ...sourceOptions({ ...configuration, lnbitsDatabaseUrl: url }, documentTypes),
      ...(database === undefined ? {} : { ledger: { url, database } }),
    });
  });
  return {
    ledger: ledger.get,
    lnbits: lnbits.get,
    source: source.get,
    async close() {
      await source.made()?.close();
      await lnbits.made()?.close();
      await ledger.made()?.close();
    },
  };
}

function requireLnbits(url: string | undefined): string {
  if (url === undefined) throw new Error('LNBITS_DATABASE_URL is not set');
  return url;
}

/** For the checks of LNbits. @throws as `Databases` */
export function openLnbits(databases: Databases): { source: Source; lnbits: Database | undefined } {
  return { source: databases.source(), lnbits: databases.lnbits() };
}

function once<T>(make: () => T): { get(): T; made(): T | undefined } {
  let made: T | undefined;
  return { get: () => (made ??= make()), made: () => made };
}

/** What cannot be opened is told by its own check; others do without. */
export function orNone<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
