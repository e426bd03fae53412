import { openReadOnlyDatabase, placeOf, type ReadOnlyDatabase } from '../database/connection';
import { openPostgresSource } from './postgres';
import type { PresetName } from './presets';
import type { SourceQueries } from './queries';
import type { Source } from './source';
import { openSqliteSource } from './sqlite';
import { parseLnbitsUrl } from './url';

export interface SourceOptions {
  /** `postgres://...` or `sqlite://<folder>`; never logged. */
  url: string;
  preset: PresetName | 'auto';
  queries: SourceQueries;
  /**
   * The database of the ledger. If LNbits has the same URL, the source uses its connections, and `close`
   * leaves them open.
   */
  ledger?: { url: string; database: ReadOnlyDatabase };
  /** Not for the connections of the ledger. Default: 10. */
  maxConnections?: number;
  /** Called when an idle connection breaks. */
  onIdleError?: (error: Error) => void;
}

/**
 * The source for the URL of LNbits' database. It reads in READ ONLY transactions. It connects when it is
 * first asked for something.
 *
 * @throws Error, PostgresUrlFault: the URL is invalid
 */
export function openSource({ url, ledger, onIdleError, maxConnections, ...options }: SourceOptions): Source {
  const parsed = parseLnbitsUrl(url);
  if (parsed.kind === 'sqlite') return openSqliteSource({ ...options, folder: parsed.folder });
  const isShared = ledger !== undefined && ledger.url === url;
  const database = isShared
    ? { ...ledger.database.readOnly, close: async () => undefined }
    : openReadOnlyDatabase({
        url: parsed.url,
        ...(maxConnections === undefined ? {} : { maxConnections }),
        ...(onIdleError === undefined ? {} : { onIdleError }),
      });
  return openPostgresSource({ ...options, database, where: `Postgres ${placeOf(parsed.url)}` });
}
