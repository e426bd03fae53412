import { z } from 'zod';
import { DEFAULT_TASK_QUEUE } from '../contract/names';
import { PRESET_NAMES } from '../sources/presets';
import { parseLnbitsUrl } from '../sources/url';
import {
  bunkerRelayUrl,
  httpUrl,
  identifier,
  listenAddress,
  listSource,
  milliseconds,
  parsedBy,
  postgresUrl,
  querySource,
  relayUrl,
  spelling,
} from './values';

/**
 * Everything that can be configured, with its default. The file `republish.config.json` has this shape; the
 * variable that each key names wins over the file. Times are milliseconds. A path in the file is relative to
 * the file, a path in a variable to the working directory.
 */
export const configurationSchema = z.strictObject({
  /** DATABASE_URL. Postgres of the ledger, `postgres://...`. Default: none; nearly every command needs it. */
  databaseUrl: postgresUrl.optional(),
  /**
   * LNBITS_DATABASE_URL. LNbits' database, `postgres://...` or `sqlite://<data folder>`. It is only read.
   * Default: LNBITS_DATA_FOLDER, else `databaseUrl`.
   */
  lnbitsDatabaseUrl: parsedBy(parseLnbitsUrl).optional(),
  /**
   * REPUBLISH_PRESET. Which extension's tables LNbits' database has. Default: `auto`, the extension that is
   * installed.
   */
  preset: z
    .enum(['auto', ...PRESET_NAMES], { error: `must be auto, ${PRESET_NAMES.join(' or ')}` })
    .default('auto'),
  /**
   * REPUBLISH_SIGNERS. Which signers sign: `paired`, those that were paired here; `lnbits`, where no paired
   * one holds the account's key, the account's own as LNbits keeps it. Default: `paired`.
   */
  signers: z.enum(['paired', 'lnbits'], { error: 'must be paired or lnbits' }).default('paired'),
  /**
   * REPUBLISH_LNBITS_BUNKER_RELAYS. Relays of the bunker that LNbits uses, at most 5; only for `lnbits`.
   * Default: none.
   */
  lnbitsBunkerRelays: z.array(bunkerRelayUrl).max(5).default([]),
  /** Modules with document types of your own (paths), at most 100. Default: none. */
  documentTypes: z.array(z.string().min(1)).max(100).default([]),
  /** Modules with providers of signers, such as a KMS (paths), at most 10. Default: none. */
  signerProviders: z.array(z.string().min(1)).max(10).default([]),
  /**
   * Module with a source that is read in place of LNbits' database (a path): then `preset`, `queries` and
   * `lnbitsDatabaseUrl` are not used. Default: none.
   */
  source: z.string().min(1).optional(),
  /**
   * REPUBLISH_DATA_CONVERTER. Module with the payload codecs of your Temporal (a path), the same for workers
   * and for everybody who starts runs and looks at them. Default: none.
   */
  dataConverter: z.string().min(1).optional(),
  /**
   * REPUBLISH_DATA. Folder of embedded servers (a path), in place of `databaseUrl` and TEMPORAL_ADDRESS.
   * Default: none.
   */
  data: z.string().min(1).optional(),
  /**
   * REPUBLISH_TASK_QUEUE. Temporal's task queue, the same for workers and callers. Default:
   * `republish-operator-configs`.
   */
  taskQueue: z.string().min(1).max(200).default(DEFAULT_TASK_QUEUE),
  /**
   * REPUBLISH_RELAYS. Relays on which the machines read, at most 20: `wss://...`, `ws://...` or a gateway,
   * `nostrclient+wss://...`. Default: none; runs, plan and verify need one.
   */
  relays: z
    .array(relayUrl)
    .max(20)
    .refine((relays) => new Set(relays.map(spelling)).size === relays.length, 'names a relay twice')
    .default([]),
  /**
   * REPUBLISH_QUORUM. On how many relays a document must be read back: `majority`, `all` or a number.
   * Default: `majority`.
   */
  quorum: z
    .union([z.enum(['majority', 'all']), z.int().min(1)], {
      error: 'must be majority, all or a number of relays',
    })
    .default('majority'),
  /**
   * REPUBLISH_SECRETS_KEY. Encrypts the stored signers (NIP-49), at least 16 characters. Default: the content
   * of `secretsKeyFile`.
   */
  secretsKey: z
    .string()
    .min(16, 'must have at least 16 characters; a good one: openssl rand -hex 32')
    .optional(),
  /** REPUBLISH_SECRETS_KEY_FILE. File with the secrets key (a path). Default: none. */
  secretsKeyFile: z.string().min(1).optional(),
  /**
   * REPUBLISH_BUNKER_CONCURRENCY. Ceiling of the requests in flight at one bunker, in each worker: it begins
   * with one and finds out how many the bunker takes. Default: 64.
   */
  bunkerConcurrency: z.int().min(1).max(1000).default(64),
  /** REPUBLISH_BUNKER_TIMEOUT_MS. From a request to a signer to its answer. Default: 30,000. */
  bunkerTimeoutMs: milliseconds(100).default(30_000),
  /**
   * REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS. Whether the relays of a bunker URI may be in private networks, and
   * may use `ws://`. Default: false.
   */
  allowPrivateBunkerRelays: z.boolean({ error: 'must be true or false' }).default(false),
  /**
   * REPUBLISH_APPROVAL_TIMEOUT_MS. The same as `bunkerTimeoutMs` where a person has to approve the request,
   * at most 25 minutes. Default: 300,000.
   */
  approvalTimeoutMs: z
    .int()
    .min(100)
    .max(25 * 60_000)
    .default(300_000),
  /** REPUBLISH_RELAY_TIMEOUT_MS. From a request to a relay to its answer. Default: 10,000. */
  relayTimeoutMs: milliseconds(100).default(10_000),
  /**
   * REPUBLISH_DOCUMENT_TIMEOUT_MS. How long a document may have passing failures before it fails. It has at
   * least three tries. Default: 1,800,000.
   */
  documentTimeoutMs: milliseconds(1_000).default(30 * 60_000),
  /** REPUBLISH_HEARTBEAT_TIMEOUT_MS. After this silence a worker counts as lost. Default: 12,000. */
  heartbeatTimeoutMs: milliseconds(1_000).default(12_000),
  /**
   * REPUBLISH_RETRY_INTERVAL_MS. First pause after an attempt without progress; it doubles up to 30 s.
   * Default: 1,000.
   */
  retryIntervalMs: milliseconds(10).default(1_000),
  /** REPUBLISH_SHUTDOWN_GRACE_MS. After SIGTERM, for pages in work. Default: 20,000. */
  shutdownGraceMs: z.int().min(0).max(3_600_000).default(20_000),
  /** REPUBLISH_DOCUMENTS_PER_PAGE. Documents of one page, at most 100. Default: 100. */
  documentsPerPage: z.int().min(1).max(100).default(100),
  /**
   * REPUBLISH_PAGES_PER_EXECUTION. After this many pages the workflow continues as new; earlier when Temporal
   * suggests it. Default: 1,000.
   */
  pagesPerExecution: z.int().min(1).max(10_000).default(1_000),
  /**
   * REPUBLISH_MAX_STATE_BYTES. Ceiling of a state in UTF-8 bytes: a larger one makes an event that common
   * relays refuse. Default: 28,672.
   */
  maxStateBytes: z.int().min(1).max(1_000_000).default(28_672),
  /**
   * REPUBLISH_METRICS_ADDRESS. `host:port` for `/metrics`, `/livez` and `/readyz`. Default: none, and no port
   * is opened.
   */
  metricsAddress: listenAddress.optional(),
  /**
   * REPUBLISH_TRACES_URL. Collector of traces, OTLP over HTTP, such as http://localhost:4318/v1/traces.
   * Default: none, and nothing is traced.
   */
  tracesUrl: httpUrl.optional(),
  /**
   * REPUBLISH_DEPLOYMENT. Name of the Worker Deployment. Default: none, and the worker takes every task of
   * its queue (no Worker Versioning).
   */
  deployment: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9_-]+$/, 'must consist of letters, digits, - and _')
    .optional(),
  /**
   * REPUBLISH_BUILD_ID. Names this build of the deployment, in histories and to Temporal. Default: the
   * version of the package.
   */
  buildId: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9._+-]+$/, 'must consist of letters, digits, and . _ + -')
    .optional(),
  /** REPUBLISH_LOG_LEVEL. Of a worker's log. Default: `info`. */
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** Where rows are read, in place of the preset's tables. Default: the preset's. */
  queries: z
    .strictObject({
      /**
       * Schema of the extension's tables; with SQLite the file ext_<schema>.sqlite3. Default: the preset's.
       */
      schema: identifier.optional(),
      /** Rows with `id, pubkey`. Default: LNbits' table `accounts`. */
      account: querySource.optional(),
      /** Rows with `id, name, machine_npub`. Default: the preset's table `dca_machines`. */
      machines: querySource.optional(),
      /** Operators of a fleet of all: rows with `id`. Default: the operators with a stored signer. */
      operators: listSource.optional(),
      /**
       * The account's own signer: rows with `signer_type, signer_config, prvkey`. Default: LNbits' table
       * `accounts`.
       */
      signer: querySource.optional(),
      /**
       * By document type. SQL without `$1` returns rows of all machines with their `machine_id`. Default: the
       * type's own `source`.
       */
      documents: z.record(z.string(), listSource).default({}),
    })
    .default({ documents: {} }),
});

/** The configuration, checked and frozen. */
export type Configuration = Readonly<z.infer<typeof configurationSchema>>;

/** How the text of a variable becomes a value. */
type Kind = 'text' | 'number' | 'boolean' | 'list' | 'quorum';

/** Environment variables, which win over the file. The names are public: scripts and units rely on them. */
export const ENVIRONMENT: Record<string, { key: keyof Configuration; kind: Kind }> = {
  DATABASE_URL: { key: 'databaseUrl', kind: 'text' },
  LNBITS_DATABASE_URL: { key: 'lnbitsDatabaseUrl', kind: 'text' },
  REPUBLISH_PRESET: { key: 'preset', kind: 'text' },
  REPUBLISH_SIGNERS: { key: 'signers', kind: 'text' },
  REPUBLISH_LNBITS_BUNKER_RELAYS: { key: 'lnbitsBunkerRelays', kind: 'list' },
  REPUBLISH_DATA_CONVERTER: { key: 'dataConverter', kind: 'text' },
  REPUBLISH_DATA: { key: 'data', kind: 'text' },
  REPUBLISH_TASK_QUEUE: { key: 'taskQueue', kind: 'text' },
  REPUBLISH_RELAYS: { key: 'relays', kind: 'list' },
  REPUBLISH_QUORUM: { key: 'quorum', kind: 'quorum' },
  REPUBLISH_SECRETS_KEY: { key: 'secretsKey', kind: 'text' },
  REPUBLISH_SECRETS_KEY_FILE: { key: 'secretsKeyFile', kind: 'text' },
  REPUBLISH_BUNKER_CONCURRENCY: { key: 'bunkerConcurrency', kind: 'number' },
  REPUBLISH_BUNKER_TIMEOUT_MS: { key: 'bunkerTimeoutMs', kind: 'number' },
  REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS: { key: 'allowPrivateBunkerRelays', kind: 'boolean' },
  REPUBLISH_APPROVAL_TIMEOUT_MS: { key: 'approvalTimeoutMs', kind: 'number' },
  REPUBLISH_RELAY_TIMEOUT_MS: { key: 'relayTimeoutMs', kind: 'number' },
  REPUBLISH_DOCUMENT_TIMEOUT_MS: { key: 'documentTimeoutMs', kind: 'number' },
  REPUBLISH_HEARTBEAT_TIMEOUT_MS: { key: 'heartbeatTimeoutMs', kind: 'number' },
  REPUBLISH_RETRY_INTERVAL_MS: { key: 'retryIntervalMs', kind: 'number' },
  REPUBLISH_SHUTDOWN_GRACE_MS: { key: 'shutdownGraceMs', kind: 'number' },
  REPUBLISH_DOCUMENTS_PER_PAGE: { key: 'documentsPerPage', kind: 'number' },
  REPUBLISH_PAGES_PER_EXECUTION: { key: 'pagesPerExecution', kind: 'number' },
  REPUBLISH_MAX_STATE_BYTES: { key: 'maxStateBytes', kind: 'number' },
  REPUBLISH_METRICS_ADDRESS: { key: 'metricsAddress', kind: 'text' },
  REPUBLISH_TRACES_URL: { key: 'tracesUrl', kind: 'text' },
  REPUBLISH_DEPLOYMENT: { key: 'deployment', kind: 'text' },
  REPUBLISH_BUILD_ID: { key: 'buildId', kind: 'text' },
  REPUBLISH_LOG_LEVEL: { key: 'logLevel', kind: 'text' },
};

/** Our variables that are not keys: the configuration file, and the programs that tests and docs start. */
export const OTHER_VARIABLES = ['REPUBLISH_CONFIG', 'REPUBLISH_TEMPORAL_CLI', 'REPUBLISH_CHROMIUM'] as const;
