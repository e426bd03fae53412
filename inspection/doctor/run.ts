import { type Failure, remedyFor, traitsOf } from '../../contract/failures';
import type { Obstacle } from '../../contract/obstacle';
import type { Progress, RunOutcome } from '../../contract/progress';
import { auditOfRun } from '../../database/audit';
import { openReadOnlyDatabase } from '../../database/connection';
import { lastMoveOf } from '../../database/ledger/runs';
import { check, type Finding, findingsOf } from './finding';

/** The newest run of an operator, as the client sees it. */
export interface SeenRun {
  runId: string;
  /** ISO 8601. Null: it is not over. */
  closedAt: string | null;
  /** Null: it is not over, or its end cannot be read. */
  outcome: RunOutcome | null;
  obstacle: Obstacle | null;
  cancelRequested: boolean;
  approvals: string[];
  progress: Pick<Progress, 'phase' | 'paused' | 'blocked' | 'failed' | 'open' | 'planned'> | null;
  /** Why it failed, with the remedy. Null: it did not. */
  failure: { type: string; message: string; remedy: string } | null;
}

/** What the ledger has of it. Undefined: there is no ledger to ask. */
interface KeptOfRun {
  /** ISO 8601. */
  lastMove: string | null;
  isAudited: boolean;
}

/** A run that works moves within this time. */
const MOVED_WITHIN_MS = 15 * 60_000;

/** Reports whether the operator's run is running, what it waits for, or how it ended. */
export function checkRun(
  operatorUserId: string,
  look: () => Promise<SeenRun | undefined>,
  databaseUrl: string | undefined,
): Promise<Finding[]> {
  return check({ area: 'run', subject: operatorUserId, timeoutMs: 20_000 }, async () => {
    const run = await look();
    if (run === undefined)
      return [findingsOf('run', operatorUserId).ok('Temporal knows no run of this operator')];
    // A ledger that does not answer has its own line.
    const kept =
      databaseUrl === undefined ? undefined : await keptOf(databaseUrl, run.runId).catch(() => undefined);
    return runFindings(operatorUserId, run, kept, Date.now());
  });
}

async function keptOf(url: string, runId: string): Promise<KeptOfRun> {
  const database = openReadOnlyDatabase({ url, maxConnections: 1 });
  try {
    const isAudited = (await auditOfRun(database, runId)) !== undefined;
    return { lastMove: await lastMoveOf(database, runId), isAudited };
  } finally {
    await database.close();
  }
}

export function runFindings(
  operatorUserId: string,
  run: SeenRun,
  kept: KeptOfRun | undefined,
  nowMs: number,
): Finding[] {
  return run.closedAt === null
    ? openFindings(operatorUserId, run, kept, nowMs)
    : endedFindings(operatorUserId, { ...run, closedAt: run.closedAt }, kept);
}

function endedFindings(
  operatorUserId: string,
  { closedAt, outcome, failure, runId }: SeenRun & { closedAt: string },
  kept: KeptOfRun | undefined,
): Finding[] {
  const { ok, warn } = findingsOf('run', operatorUserId);
  const lacksAudit =
    kept !== undefined && !kept.isAudited && failure?.type !== 'InvalidInput'
      ? [
          warn(
            `run ${runId} has ended and has no audit`,
            'Its audit is written from the ledger by: republish end <operator>.',
          ),
        ]
      : [];
  if (failure === null)
    return [ok(`the newest one is ${outcome ?? 'over'}; it ended at ${closedAt}`), ...lacksAudit];
  const told = `the newest one is ${outcome ?? 'over'}; it ended at ${closedAt}: ${failure.type}: ${failure.message}`;
  return [warn(told, failure.remedy), ...lacksAudit];
}

function openFindings(
  operatorUserId: string,
  run: SeenRun,
  kept: KeptOfRun | undefined,
  nowMs: number,
): Finding[] {
  const { ok, warn, fail } = findingsOf('run', operatorUserId);
  const { obstacle, approvals, progress, cancelRequested } = run;
  const found: Finding[] = [];
  if (obstacle !== null) {
    const { type } = obstacle;
    const passes = traitsOf(type).obstacle === 'passing';
    const told = `${type}: ${obstacle.message}`;
    found.push(passes ? warn(told, remedyFor(type)) : fail(told, type));
    if (cancelRequested && !passes)
      found.push(
        warn(
          'the cancellation waits until a worker continues the run',
          'To end the run now, without a worker: republish end <operator>.',
        ),
      );
  }
  for (const url of approvals)
    found.push(
      warn('the bunker waits for a person, and its other requests wait too', `Approve here: ${url}`),
    );
  if (progress !== null) found.push(...waitFindings(operatorUserId, progress));
  const moved = movedWords(kept?.lastMove ?? null, nowMs);
  if (found.length > 0) return moved === undefined ? found : [...found, ok(`it last moved ${moved}`)];
  const atMs = kept?.lastMove == null ? nowMs : Date.parse(kept.lastMove);
  if (progress?.phase === 'publishing' && nowMs - atMs > MOVED_WITHIN_MS)
    return [
      warn(
        `it is running, and no document has come further since ${moved}`,
        'See what they wait for: republish status <operator>.',
      ),
    ];
  const phase = progress?.phase ?? 'running';
  return [ok(`it is running (${phase})${moved === undefined ? '' : `; it last moved ${moved}`}`)];
}

function waitFindings(
  operatorUserId: string,
  { paused, blocked, phase, failed, open }: NonNullable<SeenRun['progress']>,
): Finding[] {
  const { warn } = findingsOf('run', operatorUserId);
  const found: Finding[] = [];
  if (paused !== undefined)
    found.push(
      warn(
        `paused by ${paused.by ?? 'somebody'} since ${paused.at}${paused.reason ? `: ${paused.reason}` : ''}`,
        'Go on: republish resume <operator>.',
      ),
    );
  if (blocked !== undefined) found.push(warn(nothingBegun(blocked), remedyFor(blocked.type)));
  if (phase === 'holding')
    found.push(
      warn(
        `it holds, and waits for a decision (${failed} failed, ${open} without outcome)`,
        'Try again: republish retry <operator>; give up: republish skip <operator>; end: republish ' +
          'cancel <operator>.',
      ),
    );
  return found;
}

function nothingBegun({ type, message }: Failure): string {
  return `no further document is begun: ${type}: ${message}`;
}

/** `14 s ago (2026-11-27T14:03:10.000Z)`. */
function movedWords(at: string | null, nowMs: number): string | undefined {
  if (at === null) return undefined;
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(at)) / 1_000));
  const ago = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  return `${ago} ago (${at})`;
}
