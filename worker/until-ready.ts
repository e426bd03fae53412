import { sleep } from '../async/wait';
import { WorkerClock } from '../activities/steps/clock';
import { requireTypesOfQueries } from '../assembly/known-types';
import { isRetryable, remedyFor } from '../contract/failures';
import { openDatabase } from '../database/connection';
import { migrate } from '../database/migrate';
import { checkDatabase } from '../inspection/doctor/database';
import { type Databases, openDatabases } from '../inspection/doctor/databases';
import { check, type Finding, findingsOf } from '../inspection/doctor/finding';
import { checkSource } from '../inspection/doctor/source';
import { checkTemporal } from '../inspection/doctor/temporal';
import { partsOf, type WorkerOptions } from './create-worker';

/**
 * How long a worker waits at its start for a cause that can pass: servers that start at the same moment, a
 * failover.
 */
const START_PATIENCE_MS = 60_000;
const MAX_PAUSE_MS = 5_000;
/** Longer than `migrate` waits for another worker that migrates. */
const MIGRATE_TIMEOUT_MS = 16 * 60_000;
const CLOCK_TIMEOUT_MS = 20_000;

/** Why a worker does not start: a finding of `republish doctor`, with the type of its failure. */
class WorkerCannotStart extends Error {
  override readonly name = 'WorkerCannotStart';
  readonly type: NonNullable<Finding['type']>;
  readonly remedy: string;

  constructor(finding: Finding) {
    super(`${subjectOf(finding)}: ${finding.message}`);
    this.type = typeOf(finding);
    this.remedy = finding.remedy ?? remedyFor('Unexpected');
  }
}

/**
 * Runs the checks of `republish doctor` that a worker depends on, and migrates the ledger. Relays and bunkers
 * are not checked: they come and go, and runs wait for them.
 *
 * A cause that can pass is waited for, with one log line per look. A cause that needs a person ends the wait.
 *
 * @throws WorkerCannotStart; ConfigurationError for queries of an unknown document type
 */
export async function untilReady(options: WorkerOptions, patienceMs = START_PATIENCE_MS): Promise<void> {
  const { configuration, logger } = options;
  // Outside the loop: no later look can repair a ConfigurationError.
  requireTypesOfQueries(Object.keys(configuration.queries.documents), partsOf(options).documentTypes);
  let endsAtMs: number | undefined;
  for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    const findings = await look(options);
    const failed = findings.filter(({ status }) => status === 'fail');
    const [reason] = [...failed.filter((finding) => !isRetryable(typeOf(finding))), ...failed];
    if (reason === undefined) {
      // A warning makes no run fail, and `doctor` shows it more clearly.
      for (const warning of findings.filter(({ status }) => status === 'warn'))
        logger.info(told(warning), 'not as it should be');
      return;
    }
    // Counted from the first look, which can take long: the worker waits at least once.
    endsAtMs ??= performance.now() + patienceMs;
    const leftMs = endsAtMs - performance.now();
    if (!isRetryable(typeOf(reason)) || leftMs <= 0) {
      for (const finding of failed) logger.fatal(told(finding), 'the worker does not start');
      throw new WorkerCannotStart(reason);
    }
    for (const finding of failed)
      logger.warn({ ...told(finding), forMs: Math.round(leftMs) }, 'waiting, before it starts');
    await sleep(Math.min(pauseMs, leftMs));
  }
}

/** The checks run at the same time. The findings are in the order in which a person reads them. */
async function look(options: WorkerOptions): Promise<Finding[]> {
  const { configuration, temporal, logger } = options;
  const parts = partsOf(options);
  const databases = openDatabases(configuration, parts);
  try {
    const found = await Promise.all([
      // One after the other: they share one connection.
      ledgerFindings(databases, configuration, logger).then(async (findings) => [
        ...findings,
        ...(await clockFindings(databases, configuration)),
      ]),
      checkTemporal(temporal),
      checkSource(() => ({ source: databases.source() }), configuration, parts.documentTypes, undefined),
    ]);
    return found.flat();
  } finally {
    await databases.close();
  }
}

function clockFindings(
  databases: Databases,
  { relays, retryIntervalMs: askAgainMs }: WorkerOptions['configuration'],
): Promise<Finding[]> {
  return check({ area: 'clock', subject: 'this host', timeoutMs: CLOCK_TIMEOUT_MS }, async () => {
    const database = databases.ledger();
    const clock = new WorkerClock({ database, relays, askAgainMs, onDoubt: () => undefined });
    await clock.requireRight();
    return [findingsOf('clock', 'this host').ok('nobody objects')];
  });
}

/** When a check fails, its finding explains a failed migration better than the migration's own error. */
async function ledgerFindings(
  databases: Databases,
  { databaseUrl: url }: WorkerOptions['configuration'],
  logger: WorkerOptions['logger'],
): Promise<Finding[]> {
  const checked = {
    area: 'database',
    subject: 'schema republish',
    timeoutMs: MIGRATE_TIMEOUT_MS,
    silence: 'DatabaseUnavailable',
  } as const;
  const migrated = await check(checked, async () => {
    // The checks use a read-only connection. This one closes before they begin: a role may have only two.
    const database = openDatabase({ url, maxConnections: 1 });
    try {
      const { applied } = await migrate(database);
      if (applied.length > 0) logger.info({ applied }, 'the database schema was brought up to date');
    } finally {
      await database.close();
    }
    return [];
  });
  const found = await checkDatabase(databases.ledger, 'worker');
  return found.some(({ status }) => status === 'fail') ? found : [...found, ...migrated];
}

function typeOf({ type }: Finding): NonNullable<Finding['type']> {
  return type ?? 'Unexpected';
}

function subjectOf({ area, subject }: Finding): string {
  return subject === '' ? area : `${area} ${subject}`;
}

function told(finding: Finding): Record<string, unknown> {
  return {
    of: subjectOf(finding),
    ...(finding.status === 'fail' && { type: typeOf(finding) }),
    reason: finding.message,
    remedy: finding.remedy,
  };
}
