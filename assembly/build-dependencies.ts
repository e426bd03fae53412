import { hkdfSync } from 'node:crypto';
import type { Logger } from 'pino';
import type { ActivityDependencies } from '../activities/dependencies';
import { WorkerClock } from '../activities/steps/clock';
import { ConfigurationError } from '../configuration/load';
import type { Configuration } from '../configuration/schema';
import { suggest } from '../rules/suggest';
import type { RunLimits } from '../contract/activities';
import type { RunOutcome } from '../contract/progress';
import type { Telemetry } from '../contract/telemetry';
import type { AuditRow } from '../database/audit';
import { openDatabase } from '../database/connection';
import { keepBunkerRelays } from '../database/signers';
import type { DocumentType } from '../documents/document-type';
import { DocumentTypesError, loadDocumentTypes } from '../documents/load';
import { openSource, type SourceOptions } from '../sources/open';
import { BunkerRelayLimits } from '../nostr/bunker/relay-limits';
import { RelayPool } from '../nostr/relays/pool';
import { RelayPublisher } from '../nostr/relays/publisher';
import { shownRelay } from '../nostr/relays/url';
import { Keyring } from '../nostr/signers/keyring';
import { OperatorSigners } from '../nostr/signers/operator-signers';

/** The parts of the configuration that a worker cannot do without. */
export type WorkerConfiguration = Configuration & {
  databaseUrl: string;
  lnbitsDatabaseUrl: string;
  secretsKey: string;
};

/** With what `needs` of the loader has required; what a command needs not may be empty. */
export function workerConfiguration(configuration: Configuration): WorkerConfiguration {
  const { databaseUrl = '', lnbitsDatabaseUrl = '', secretsKey = '' } = configuration;
  return { ...configuration, databaseUrl, lnbitsDatabaseUrl, secretsKey };
}

/** The types of this release and those of the configuration. @throws ConfigurationError */
export async function documentTypesOf({
  documentTypes,
}: Pick<Configuration, 'documentTypes'>): Promise<readonly DocumentType[]> {
  try {
    return await loadDocumentTypes(documentTypes);
  } catch (thrown) {
    throw thrown instanceof DocumentTypesError ? new ConfigurationError(thrown.problems) : thrown;
  }
}

export interface BuiltDependencies {
  dependencies: ActivityDependencies;
  /** Closes sockets and connections and wipes keys. */
  close(): Promise<void>;
}

const RELAY_CONNECT_TIMEOUT_MS = 5_000;

/** Builds everything the activities need from the configuration. Opens no connection yet. */
export function buildDependencies(
  configuration: WorkerConfiguration,
  documentTypes: readonly DocumentType[],
  logger: Logger,
  telemetry?: Telemetry,
): BuiltDependencies {
  const database = openDatabase({
    url: configuration.databaseUrl,
    onIdleError: (err) => logger.warn({ reason: err.message }, 'a database connection broke while idle'),
    onRepeat: () => telemetry?.transactionRepeated(),
  });
  const pool = new RelayPool({
    connectTimeoutMs: RELAY_CONNECT_TIMEOUT_MS,
    onNotice: notices(logger),
    onMalformed: () => telemetry?.messageDropped('relay'),
  });
  const keyring = new Keyring({
    secretsKey: configuration.secretsKey,
    bunkerConcurrency: configuration.bunkerConcurrency,
    bunkerTimeoutMs: configuration.bunkerTimeoutMs,
    approvalTimeoutMs: configuration.approvalTimeoutMs,
    connectTimeoutMs: RELAY_CONNECT_TIMEOUT_MS,
    allowPrivateBunkerRelays: configuration.allowPrivateBunkerRelays,
    ...(telemetry === undefined ? {} : { telemetry }),
    // The page's address is the operator's secret.
    onApprovalNeeded: (bunkerPubkey) =>
      logger.warn({ bunkerPubkey }, 'the bunker waits for a person to approve a request'),
    onRelaysSwitched: (stored, relays) => {
      logger.info(
        { bunkerPubkey: stored.bunkerPubkey, relays: relays.map(shownRelay) },
        'a bunker has moved',
      );
      keepBunkerRelays(database, stored, relays).catch((err: Error) =>
        // The next process begins at the old relays and asks again.
        logger.warn({ type: err.name }, 'where the bunker has moved to could not be stored'),
      );
    },
  });
  const publisher = new RelayPublisher({
    pool,
    relays: configuration.relays,
    quorum: configuration.quorum,
    replyTimeoutMs: configuration.relayTimeoutMs,
    onStanding: (relay, state) => telemetry?.relayAnswered(relay, state),
  });
  const bunkerRelays = new BunkerRelayLimits(configuration.allowPrivateBunkerRelays);
  const source = openSource({
    ...sourceOptions(configuration, documentTypes),
    ledger: { url: configuration.databaseUrl, database },
    onIdleError: (err) =>
      logger.warn({ reason: err.message }, "a connection to LNbits' database broke while idle"),
  });
  telemetry?.watchSigners(() => keyring.load());
  return {
    dependencies: {
      database,
      source,
      operatorsFrom:
        configuration.queries.operators !== undefined || configuration.signers === 'lnbits'
          ? 'source'
          : 'ledger',
      documentTypes,
      keyring,
      operatorSigners: new OperatorSigners({
        signers: configuration.signers,
        bunkerRelays: configuration.lnbitsBunkerRelays,
        accounts: source,
      }),
      publisher,
      bunkerRelays,
      clock: new WorkerClock({
        database,
        relays: configuration.relays,
        askAgainMs: configuration.retryIntervalMs,
        onDoubt: (names) => logger.warn({ names }, 'their clocks are more than a minute apart from this one'),
      }),
      fingerprintKey: deriveFingerprintKey(configuration.secretsKey),
      maxStateBytes: configuration.maxStateBytes,
      limits: runLimits(configuration),
      patience: {
        documentTimeoutMs: configuration.documentTimeoutMs,
        firstPauseMs: configuration.retryIntervalMs,
        maxPauseMs: Math.max(MAX_PAUSE_MS, configuration.retryIntervalMs),
        yieldAfterMs: YIELD_AFTER_MS,
        freshMs: FRESH_MS,
      },
      // Some with the bunker, the others on their way to it or back.
      documentsAtOnce: configuration.bunkerConcurrency * 2,
      // Known once there is a connection to Temporal.
      searchAttributes: false,
      failpoint: () => undefined,
      onRunEnded: ({ runId, workflowId, operatorUserId, outcome, counts, failure, failures }) => {
        const why = whyItFailed(failure, failures);
        logger.info({ workflowId, runId, operatorUserId, outcome, counts, ...why }, 'a run has ended');
        if (telemetry !== undefined) tellRunEnded(telemetry, outcome, counts);
      },
      telemetry,
      onUnexpected: (activity, error, work) =>
        // Only where it happened: the message of an unknown error may quote state.
        logger.error(
          { ...work, activity, type: error.name, at: stackFrames(error) },
          'an activity failed unexpectedly',
        ),
    },
    close: async () => {
      keyring.close();
      publisher.close();
      bunkerRelays.close();
      pool.close();
      await source.close();
      await database.close();
    },
  };
}

/** What has no attempt of its own to count it is known when the run is closed. */
function tellRunEnded(telemetry: Telemetry, outcome: RunOutcome, counts: AuditRow['counts']): void {
  telemetry.runEnded(outcome);
  for (const [documentType, { failed, skipped }] of Object.entries(counts)) {
    telemetry.documentsEnded(documentType, 'failed', failed);
    telemetry.documentsEnded(documentType, 'skipped', skipped);
  }
}

/** Types alone: the audit has the messages. What failed for good in its page is in no other line. */
function whyItFailed(failure: AuditRow['failure'], failures: AuditRow['failures']): Record<string, unknown> {
  const byType: Record<string, number> = {};
  for (const { type } of failures) byType[type] = (byType[type] ?? 0) + 1;
  return {
    ...(failure === null ? {} : { failure: failure.type }),
    ...(failures.length === 0 ? {} : { failures: byType }),
  };
}

/** Logs the notices of relays, at most one a minute for each: a relay may send as many as it likes. */
function notices(logger: Logger): (url: string, notice: string) => void {
  const silentUntilMs = new Map<string, number>();
  return (url, notice) => {
    if (Date.now() < (silentUntilMs.get(url) ?? 0)) return;
    silentUntilMs.set(url, Date.now() + 60_000);
    logger.warn({ relay: shownRelay(url), notice }, 'a relay sent a notice');
  };
}

/** How LNbits' database is read. @throws ConfigurationError for queries of a type that is not known */
export function sourceOptions(
  { queries, preset, lnbitsDatabaseUrl: url }: Configuration & { lnbitsDatabaseUrl: string },
  documentTypes: readonly DocumentType[],
): SourceOptions {
  requireKnownTypes(Object.keys(queries.documents), documentTypes);
  return { url, preset, queries: { ...queries, documentTypes } };
}

/** A query for a mistyped document type would leave the right one at its default table, and publish that. */
function requireKnownTypes(configured: string[], documentTypes: readonly DocumentType[]): void {
  const known = documentTypes.map(({ type }) => type);
  const problems = configured
    .filter((type) => !known.includes(type))
    .map((type) => `queries.documents.${type} is for no known document type (${suggestion(type, known)})`);
  if (new Set(known).size < known.length)
    problems.push(`a document type is registered twice: ${known.join(', ')}`);
  if (problems.length > 0) throw new ConfigurationError(problems);
}

function suggestion(type: string, known: string[]): string {
  const meant = suggest(type, known);
  return meant ? `did you mean ${meant}?` : `known are ${known.join(', ')}`;
}

/** A key of its own purpose, so that a fingerprint says nothing about the key that encrypts the signers. */
function deriveFingerprintKey(secretsKey: string): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', secretsKey, '', 'republish-operator-configs state fingerprint', 32),
  );
}

/** Some end while the others keep the bunker busy. */
const PAGES_AT_ONCE = 3;
/** Progress, cancel, shutdown and other operators wait no longer for a slow bunker. */
const YIELD_AFTER_MS = 10_000;
const MAX_PAUSE_MS = 30_000;
const FRESH_MS = 30_000;

function runLimits(configuration: Configuration): RunLimits {
  const { bunkerTimeoutMs, approvalTimeoutMs, relayTimeoutMs } = configuration;
  return {
    documentsPerPage: configuration.documentsPerPage,
    pagesAtOnce: PAGES_AT_ONCE,
    pagesPerExecution: configuration.pagesPerExecution,
    // When it yields: what the bunker was asked, one of them approved by a person, and the relays' answers.
    attemptTimeoutMs: YIELD_AFTER_MS + approvalTimeoutMs + 6 * bunkerTimeoutMs + 5 * relayTimeoutMs,
    heartbeatTimeoutMs: configuration.heartbeatTimeoutMs,
  };
}

function stackFrames(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim());
}
