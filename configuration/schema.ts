import { z } from 'zod';
import { DEFAULT_TASK_QUEUE } from '../contract/names';
import { parsePostgresUrl } from '../database/postgres-url';
import { PRESET_NAMES } from '../sources/presets';
import { parseLnbitsUrl } from '../sources/url';

const identifier = z.string().regex(/^[A-Za-z_][A-Za-z0-9_$]*$/, 'must be a plain SQL identifier');

/** Where rows come from: a table, or SQL with `$1`. */
const source = z.union([
  z.strictObject({ table: identifier, schema: identifier.optional() }),
  z.strictObject({
    sql: z.string().includes('$1', { message: 'the SQL must use $1 (operator or machine id)' }),
  }),
]);

/** The same, also without `$1`: all rows. */
const listSource = z.union([
  z.strictObject({ table: identifier, schema: identifier.optional() }),
  z.strictObject({ sql: z.string().min(1) }),
]);

/** Before the URL of a websocket that is no relay but LNbits' nostrclient, a gateway to several. */
const GATEWAY_PREFIX = /^nostrclient\+/;
const websocketOf = (relay: string): string => relay.replace(GATEWAY_PREFIX, '');

const relayUrl = z
  .string()
  .trim()
  .refine(
    (text) => /^(ws|wss):\/\/[^\s/]+/.test(websocketOf(text)) && URL.canParse(websocketOf(text)),
    'must be a ws:// or wss:// URL',
  )
  .refine((text) => !/^[a-z]+:\/\/[^/]*@/.test(websocketOf(text)), 'must not hold a user name or password')
  .refine(
    (text) => !GATEWAY_PREFIX.test(text) || /\/nostrclient\/api\/v1\/[^\s/?#]+$/.test(text),
    'must be nostrclient+wss://<host>/nostrclient/api/v1/<ws_id>',
  )
  // As a relay it would wait for OKs that never come, and its path, a secret, would go into answers to
  // challenges.
  .refine(
    (text) => !/^wss?:.*\/nostrclient\/api\/v1\//.test(text),
    'is a nostrclient gateway: write nostrclient+wss://... (or nostrclient+ws://...)',
  );

/** wss://Relay.example/ and wss://relay.example are one relay, which must not count twice for the quorum. */
function spelling(relay: string): string {
  const websocket = websocketOf(relay);
  return URL.canParse(websocket) ? new URL(websocket).href : relay;
}

/**
 * Text that `parse` takes; the message says what is wrong and never quotes it, since it may hold a password.
 */
const parsedBy = (parse: (text: string) => unknown): z.ZodString =>
  z.string().superRefine((text, context) => {
    try {
      parse(text);
    } catch (thrown) {
      context.addIssue({ code: 'custom', message: (thrown as Error).message });
    }
  });

const milliseconds = (least: number): z.ZodInt =>
  z
    .int()
    .min(least)
    .max(24 * 3600 * 1000);

/** host:port to listen on; an IPv6 address in brackets. Port 0: any free one, which the log names. */
const listenAddress = z
  .string()
  .regex(
    /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/,
    'must be host:port, for example 127.0.0.1:9464 or 0.0.0.0:9464',
  )
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'has a port above 65535');

/** Everything that can be configured, with its default. The file republish.config.json has this shape. */
export const configurationSchema = z.strictObject({
  databaseUrl: parsedBy((text) => {
    if (!/^postgres(ql)?:\/\//.test(text)) throw new Error('must begin with postgres:// or postgresql://');
    parsePostgresUrl(text);
  }).optional(),
  /**
   * LNbits' database, as LNbits or people write it: `postgres://...` or `sqlite://<data folder>`. Default:
   * LNBITS_DATA_FOLDER, else databaseUrl.
   */
  lnbitsDatabaseUrl: parsedBy(parseLnbitsUrl).optional(),
  /** Whose tables LNbits' database has. `auto`: the one that is there. */
  preset: z
    .enum(['auto', ...PRESET_NAMES], { error: `must be auto, ${PRESET_NAMES.join(' or ')}` })
    .default('auto'),
  /** Which signers sign: those paired here, or (where none is) the account's own as LNbits keeps it. */
  signers: z.enum(['paired', 'lnbits'], { error: 'must be paired or lnbits' }).default('paired'),
  /** Relays of the bunker that LNbits uses. */
  lnbitsBunkerRelays: z
    .array(
      relayUrl.refine((text) => !GATEWAY_PREFIX.test(text), 'must be a relay, not a nostrclient gateway'),
    )
    .max(5)
    .default([]),
  /** Modules with document types of one's own; paths relative to the configuration file. */
  documentTypes: z.array(z.string().min(1)).max(100).default([]),
  /** Modules with providers of signers (a KMS, say); paths relative to the configuration file. */
  signerProviders: z.array(z.string().min(1)).max(10).default([]),
  /** Module with a source in place of LNbits' database; its path is relative to the configuration file. */
  source: z.string().min(1).optional(),
  /**
   * Module with the payload codecs of this Temporal site, the same for workers and whoever starts and looks
   * at runs; its path is relative to the configuration file.
   */
  dataConverter: z.string().min(1).optional(),
  /** Folder of the embedded servers, in place of databaseUrl and TEMPORAL_ADDRESS. */
  data: z.string().min(1).optional(),
  taskQueue: z.string().min(1).max(200).default(DEFAULT_TASK_QUEUE),
  relays: z
    .array(relayUrl)
    .max(20)
    .refine((relays) => new Set(relays.map(spelling)).size === relays.length, 'names a relay twice')
    .default([]),
  quorum: z
    .union([z.enum(['majority', 'all']), z.int().min(1)], {
      error: 'must be majority, all or a number of relays',
    })
    .default('majority'),
  secretsKey: z
    .string()
    .min(16, 'must have at least 16 characters; a good one: openssl rand -hex 32')
    .optional(),
  secretsKeyFile: z.string().min(1).optional(),
  bunkerConcurrency: z.int().min(1).max(1000).default(64),
  bunkerTimeoutMs: milliseconds(100).default(30_000),
  allowPrivateBunkerRelays: z.boolean({ error: 'must be true or false' }).default(false),
  approvalTimeoutMs: z
    .int()
    .min(100)
    .max(25 * 60_000)
    .default(300_000),
  relayTimeoutMs: milliseconds(100).default(10_000),
  documentTimeoutMs: milliseconds(1_000).default(30 * 60_000),
  heartbeatTimeoutMs: milliseconds(1_000).default(12_000),
  retryIntervalMs: milliseconds(10).default(1_000),
  shutdownGraceMs: z.int().min(0).max(3_600_000).default(20_000),
  documentsPerPage: z.int().min(1).max(100).default(100),
  pagesPerExecution: z.int().min(1).max(10_000).default(1_000),
  maxStateBytes: z.int().min(1).max(1_000_000).default(28_672),
  /** Metrics and health are served there. Absent: neither is. */
  metricsAddress: listenAddress.optional(),
  /** OTLP over HTTP, for example http://localhost:4318/v1/traces. Absent: nothing is traced. */
  tracesUrl: z
    .string()
    .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), 'must be an http:// or https:// URL')
    .refine((text) => !/^https?:\/\/[^/]*@/.test(text), 'must not hold a user name or password')
    .optional(),
  /**
   * Name of the Worker Deployment. Absent: the worker takes every task of its queue, as a cluster without
   * versioning.
   */
  deployment: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9_-]+$/, 'must consist of letters, digits, - and _')
    .optional(),
  /** What tells this build of the deployment from others. Default: the version of the package. */
  buildId: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9._+-]+$/, 'must consist of letters, digits, and . _ + -')
    .optional(),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  queries: z
    .strictObject({
      /**
       * Schema of the extension's tables, in place of the preset's; with SQLite the file
       * ext_<schema>.sqlite3.
       */
      schema: identifier.optional(),
      /** Rows with `id, pubkey`. Default: LNbits' table `accounts`. */
      account: source.optional(),
      /** Rows with `id, name, machine_npub`. Default: the preset's table `dca_machines`. */
      machines: source.optional(),
      /**
       * Who belongs to a fleet of all operators: rows with `id`. Default: the operators with a stored signer.
       */
      operators: listSource.optional(),
      /**
       * The account's own signer: rows with `signer_type, signer_config, prvkey`. Default: LNbits' table
       * `accounts`.
       */
      signer: source.optional(),
      /** By document type. Without `$1` rows of all machines with their `machine_id`. */
      documents: z.record(z.string(), listSource).default({}),
    })
    .default({ documents: {} }),
});

/** The configuration, checked and frozen. */
export type Configuration = Readonly<z.infer<typeof configurationSchema>>;

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

/**
 * Variables of ours that are not part of the configuration: which file to read, and where dev finds Temporal.
 */
export const OTHER_VARIABLES = ['REPUBLISH_CONFIG', 'REPUBLISH_TEMPORAL_CLI', 'REPUBLISH_CHROMIUM'] as const;
