import { randomUUID } from 'node:crypto';
import { createDatabase, dropDatabase } from '../../database/admin';
import { type Database, openDatabase } from '../../database/connection';
import type { StateSource } from '../../documents/document-type';
import { documentTypes } from '../../documents/registry';
import { openSource } from '../../sources/open';
import type { PresetName } from '../../sources/presets';
import type { ConfiguredQuery, SourceQueries } from '../../sources/queries';
import type { Source } from '../../sources/source';
import { testServers } from './servers';

/** A Postgres database of LNbits' alone, without a ledger, and sources that read it. */
export interface LnbitsDatabase {
  database: Database;
  url: string;
  /** A source of its own connections, which `drop` closes. */
  source(options?: SourceOptions): Source;
  drop(): Promise<void>;
}

export interface SourceOptions {
  /** Another user's, for example. */
  url?: string;
  preset?: PresetName | 'auto';
  queries?: Partial<SourceQueries>;
  /** The state of a type `t`, as a type of one's own has it. */
  state?: StateSource;
  /** The state of a type `t`, as `queries.documents` has it. */
  query?: ConfiguredQuery;
}

/** @param template of the test servers; without one the database is empty */
export async function createLnbitsDatabase(template?: string): Promise<LnbitsDatabase> {
  const { postgresUrl } = testServers();
  const name = `lnbits_${randomUUID().replaceAll('-', '')}`;
  const url = await createDatabase(postgresUrl, name, template);
  const database = openDatabase({ url });
  const sources: Source[] = [];
  return {
    database,
    url,
    source({ url: otherUrl = url, preset = 'auto', queries = {}, state, query } = {}) {
      const source = openSource({
        url: otherUrl,
        preset,
        queries: {
          documents: query === undefined ? {} : { t: query },
          documentTypes: state === undefined ? documentTypes : [{ type: 't', source: state }],
          ...queries,
        },
      });
      sources.push(source);
      return source;
    },
    async drop() {
      await Promise.all(sources.map((source) => source.close()));
      await database.close();
      await dropDatabase(postgresUrl, name);
    },
  };
}
