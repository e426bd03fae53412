import { setImmediate as nextTurn } from 'node:timers/promises';
import { RepublishError } from '../contract/failures';
import { choosePreset, MACHINES_TABLE, PRESET_NAMES, PRESETS, type PresetName } from './presets';
import { needsSchema, type SourceQueries, type Statements, statementsOf } from './queries';
import { ofQuery } from './rows';
import type {
  AccountRow,
  AccountSignerRow,
  MachinePage,
  MachineRow,
  Source,
  SourceDescription,
  StateRows,
} from './source';
import {
  findSqliteDriver,
  type SqliteConnection,
  type SqliteDriver,
  SqliteFailure,
  type SqliteParameters,
} from './sqlite-driver';
import { extensionFile, hasExtension } from './sqlite-files';
import { askExtension, askLnbits, type ReaderOptions } from './sqlite-reader';
import { stateOfOne, statesOfMany } from './sqlite-states';

export interface SqliteSourceOptions {
  /** LNbits' data folder, with `database.sqlite3` and `ext_<schema>.sqlite3`. */
  folder: string;
  preset: PresetName | 'auto';
  queries: SourceQueries;
  /** Default: the driver of this process, see `findSqliteDriver`. */
  driver?: SqliteDriver | undefined;
  /** How long to wait for a locked database. Default: 30 s. */
  lockTimeoutMs?: number | undefined;
}

const LOCK_TIMEOUT_MS = 30_000;
const NOSTRCLIENT = 'nostrclient';
/** Names and keys are cut to this many characters. */
const MAX_TEXT = 200;

/** LNbits on SQLite, its default database. LNbits may be running. The first question opens the first file. */
export function openSqliteSource(options: SqliteSourceOptions): Source {
  return new SqliteSource(options);
}

interface Use {
  preset: SourceDescription['preset'];
  statements: Statements;
}

class SqliteSource implements Source {
  private readonly closing = new AbortController();
  private driver: SqliteDriver | undefined;
  private use: Use | undefined;

  constructor(private readonly options: SqliteSourceOptions) {
    this.driver = options.driver;
  }

  async describe(): Promise<SourceDescription> {
    const { preset, statements } = await this.inUse();
    const { machinesFrom } = statements;
    return { kind: 'sqlite', where: this.options.folder, preset, machinesFrom };
  }

  async account(operatorUserId: string): Promise<AccountRow | undefined> {
    const { account } = this.ofAccounts();
    const [row] = await this.texts('queries.account', account, ['id', 'pubkey'], 'LIMIT 1', {
      1: operatorUserId,
    });
    return row && { id: row[0] ?? operatorUserId, pubkey: row[1] ?? null };
  }

  async machines({ operatorUserId, after, machineIds, limit }: MachinePage): Promise<MachineRow[]> {
    const { machines } = (await this.inUse()).statements;
    // BINARY sorts by the bytes of UTF-8, as COLLATE "C" in Postgres.
    const page = `WHERE ($after IS NULL OR CAST(source.id AS TEXT) COLLATE BINARY > $after)
        AND ($ids IS NULL OR CAST(source.id AS TEXT) IN (SELECT value FROM json_each($ids)))
      ORDER BY CAST(source.id AS TEXT) COLLATE BINARY LIMIT $limit`;
    const rows = await this.texts('queries.machines', machines, ['id', 'name', 'machine_npub'], page, {
      1: operatorUserId,
      after: after ?? null,
      ids: machineIds === undefined ? null : JSON.stringify(machineIds),
      limit,
    });
    return rows.map(([id, name, machineNpub]) => {
      if (id == null)
        throw new RepublishError('SourceMisconfigured', 'queries.machines: a machine has no id');
      return { id, name: name ?? null, machineNpub: machineNpub ?? null };
    });
  }

  async operators({ after, limit }: { after?: string | undefined; limit: number }): Promise<string[]> {
    const { operators } = (await this.inUse()).statements;
    const id = 'CAST(source.id AS TEXT) COLLATE BINARY';
    const page = `WHERE source.id IS NOT NULL AND ($after IS NULL OR ${id} > $after)
      GROUP BY ${id} ORDER BY ${id} LIMIT $limit`;
    const rows = await this.texts('queries.operators', operators, ['id'], page, {
      after: after ?? null,
      limit,
    });
    return rows.flatMap(([id]) => id ?? []);
  }

  async machineKeys(operatorUserId: string, spellings: readonly string[]): Promise<string[]> {
    const { machines } = (await this.inUse()).statements;
    const rows = await this.texts(
      'queries.machines',
      machines,
      ['machine_npub'],
      'WHERE source.machine_npub IS NOT NULL',
      { 1: operatorUserId },
    );
    const asked = new Set(spellings);
    return rows.flatMap(([key]) => (key && asked.has(key.replaceAll(/\s+/g, '').toLowerCase()) ? key : []));
  }

  async states(
    documentType: string,
    machineIds: readonly string[],
    maxBytes: number,
  ): Promise<Map<string, StateRows>> {
    const { statements } = await this.inUse();
    const query = statements.state(documentType);
    const name = statements.nameOfState(documentType);
    if ('many' in query) {
      const { many } = query;
      return this.ask(name, many, (connection) => statesOfMany(connection, many, machineIds, maxBytes));
    }
    const { one } = query;
    const states = new Map<string, StateRows>();
    for (const id of machineIds) {
      states.set(id, await this.ask(name, one, (connection) => stateOfOne(connection, one, id, maxBytes)));
      // A read blocks the event loop. Other work of the process runs between two machines.
      await nextTurn();
    }
    return states;
  }

  async signer(operatorUserId: string): Promise<AccountSignerRow | undefined> {
    const { signer } = this.ofAccounts();
    const columns = ['signer_type', 'signer_config', 'prvkey'];
    const [row] = await this.texts(
      'queries.signer',
      signer,
      columns,
      'LIMIT 1',
      { 1: operatorUserId },
      1_000_000,
    );
    return row && { signerType: row[0] ?? null, signerConfig: row[1] ?? null, prvkey: row[2] ?? null };
  }

  async rights(): Promise<undefined> {
    return undefined;
  }

  async nostrclientRelays(): Promise<string[] | undefined> {
    if (!hasExtension(this.options.folder, NOSTRCLIENT)) return undefined;
    try {
      // The extension publishes to every row with a url. It ignores the column `active`.
      const sql = "SELECT DISTINCT url FROM relays WHERE url <> '' ORDER BY url";
      const found = await askExtension(this.reader(), NOSTRCLIENT, (connection) => connection.all(sql));
      return found.rows.map(([url]) => String(url));
    } catch (thrown) {
      // The file without the table: the extension is not installed.
      if (thrown instanceof SqliteFailure) return undefined;
      if (thrown instanceof RepublishError && thrown.type === 'SourceMisconfigured') return undefined;
      throw thrown;
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
  }

  /**
   * These columns of a query, as text.
   *
   * @param name see `ask`
   * @param rest of the statement: WHERE, ORDER BY, LIMIT
   * @param length the most characters of a value. An id is never cut: a part of an id is another id
   */
  private texts(
    name: string,
    sql: string,
    columns: readonly string[],
    rest: string,
    parameters: SqliteParameters,
    length = MAX_TEXT,
  ): Promise<(string | null)[][]> {
    const selected = columns.map((column) =>
      column === 'id'
        ? 'CAST(source.id AS TEXT) AS id'
        : `substr(CAST(source.${column} AS TEXT), 1, ${length}) AS ${column}`,
    );
    const statement = `SELECT ${selected.join(', ')} FROM (${sql}\n) AS source ${rest}`;
    return this.ask(name, sql, (connection) =>
      connection
        .all(statement, parameters)
        .rows.map((row) => row.map((value) => (value === null ? null : String(value)))),
    );
  }

  /** @param name the name of the query in the configuration, for messages */
  private async ask<T>(name: string, sql: string, ask: (connection: SqliteConnection) => T): Promise<T> {
    try {
      return await askLnbits(this.reader(), sql, ask);
    } catch (thrown) {
      if (thrown instanceof SqliteFailure)
        throw ofQuery(name, new RepublishError('SourceMisconfigured', this.explained(thrown.message)));
      throw thrown instanceof RepublishError ? ofQuery(name, thrown) : thrown;
    }
  }

  /** Adds that the file of the extension is missing, where SQLite only reports a missing table. */
  private explained(message: string): string {
    const schema = /^no such table: ([^.]+)\./.exec(message)?.[1];
    return schema === undefined || hasExtension(this.options.folder, schema)
      ? message
      : `${message} (there is no ${extensionFile(schema)} in ${this.options.folder})`;
  }

  private reader(): ReaderOptions {
    const { folder, lockTimeoutMs = LOCK_TIMEOUT_MS } = this.options;
    this.driver ??= findSqliteDriver();
    return { folder, driver: this.driver, lockTimeoutMs, signal: this.closing.signal };
  }

  /** Without a preset: it only concerns the tables of the extension. */
  private ofAccounts(): Statements {
    return statementsOf(this.options.queries, this.options.queries.schema);
  }

  /** Found once. After a failure the next question looks again: the extension may be installed meanwhile. */
  private async inUse(): Promise<Use> {
    const { queries } = this.options;
    if (this.use === undefined) {
      if (needsSchema(queries)) {
        const preset = await this.findPreset();
        this.use = { preset, statements: statementsOf(queries, PRESETS[preset].schema) };
      } else {
        this.use = { preset: 'queries', statements: statementsOf(queries, queries.schema) };
      }
    }
    return this.use;
  }

  private async findPreset(): Promise<PresetName> {
    const { folder, preset } = this.options;
    const present: PresetName[] = [];
    for (const name of PRESET_NAMES) {
      if (preset !== 'auto' && preset !== name) continue;
      if (await this.hasMachines(PRESETS[name].schema)) present.push(name);
    }
    if (present.length === 0) {
      // A wrong folder has no extension either. This throws a message about the folder, which is the better
      // one.
      await askLnbits(this.reader(), '', () => undefined);
    }
    const files = PRESET_NAMES.map((name) => extensionFile(PRESETS[name].schema)).join(', ');
    return choosePreset(preset, present, `${folder} (looked for ${files})`);
  }

  private async hasMachines(schema: string): Promise<boolean> {
    if (!hasExtension(this.options.folder, schema)) return false;
    const sql = `SELECT 1 FROM sqlite_master
      WHERE type IN ('table', 'view') AND name = '${MACHINES_TABLE}' COLLATE NOCASE`;
    const { rows } = await askExtension(this.reader(), schema, (connection) => connection.all(sql));
    return rows.length > 0;
  }
}
