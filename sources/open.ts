import { openDatabase, placeOf, type ReadOnlyDatabase } from '../database/connection';
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
   * The ledger's database and its URL: where LNbits' is the same one, its connections are shared and stay
   * open at the end.
   */
  ledger?: { url: string; database: ReadOnlyDatabase };
  /** At most, where it is not the ledger's. Default: 10. */
  maxConnections?: number;
  onIdleError?: (error: Error) => void;
}

/** Opens no connection yet. @throws Error for a URL that is none */
export function openSource({ url, ledger, onIdleError, maxConnections, ...options }: SourceOptions): Source {
  const parsed = parseLnbitsUrl(url);
  if (parsed.kind === 'sqlite') return openSqliteSource({ ...options, folder: parsed.folder });
  const isShared = ledger !== undefined && ledger.url === url;
  const database = isShared
    ? { ...ledger.database, close: async () => undefined }
    : openDatabase({
        url: parsed.url,
        ...(maxConnections === undefined ? {} : { maxConnections }),
        ...(onIdleError === undefined ? {} : { onIdleError }),
      });
  return openPostgresSource({ ...options, database, where: `Postgres ${placeOf(parsed.url)}` });
}
