import type { Logger } from 'pino';
import type { ActivityDependencies, EndedRun } from '../activities/dependencies';
import type { Telemetry } from '../contract/telemetry';
import { shownRelay } from '../nostr/relays/url';

/** A relay's notices are logged at most this often: a relay may send any number. */
const NOTICE_EVERY_MS = 60_000;

/** Logs the notices of relays. */
export function notices(logger: Logger): (url: string, notice: string) => void {
  const silentUntilMs = new Map<string, number>();
  return (url, notice) => {
    if (Date.now() < (silentUntilMs.get(url) ?? 0)) return;
    silentUntilMs.set(url, Date.now() + NOTICE_EVERY_MS);
    logger.warn({ relay: shownRelay(url), notice }, 'a relay sent a notice');
  };
}

/**
 * Reports the end of a run to the log, the metrics and the listener.
 *
 * @param listener an error of it is logged and does not fail the run
 */
export function runEnds(
  logger: Logger,
  telemetry: Telemetry | undefined,
  listener: ((run: EndedRun) => unknown) | undefined,
): ActivityDependencies['onRunEnded'] {
  return (run) => {
    const { runId, workflowId, operatorUserId, outcome, counts } = run;
    logger.info(
      { workflowId, runId, operatorUserId, outcome, counts, ...whyItFailed(run) },
      'a run has ended',
    );
    if (telemetry !== undefined) count(telemetry, run);
    if (listener === undefined) return;
    void Promise.resolve()
      .then(() => listener(run))
      .catch((thrown: unknown) => logger.error({ runId, err: thrown }, 'onRunEnded failed'));
  };
}

/** A failed or skipped document may have had no attempt of its own, so it is counted here. */
function count(telemetry: Telemetry, { outcome, counts }: EndedRun): void {
  telemetry.runEnded(outcome);
  for (const [documentType, { failed, skipped }] of Object.entries(counts)) {
    telemetry.documentsEnded(documentType, 'failed', failed);
    telemetry.documentsEnded(documentType, 'skipped', skipped);
  }
}

/** Only types: the audit has the messages. */
function whyItFailed({ failure, failures }: EndedRun): Record<string, unknown> {
  const byType: Record<string, number> = {};
  for (const { type } of failures) byType[type] = (byType[type] ?? 0) + 1;
  return {
    ...(failure === null ? {} : { failure: failure.type }),
    ...(failures.length === 0 ? {} : { failures: byType }),
  };
}

/** Logs the place of an error that has no type. Its message may quote state and is left out. */
export function unexpectedErrors(logger: Logger): ActivityDependencies['onUnexpected'] {
  return (activity, error, work) =>
    logger.error(
      { ...work, activity, type: error.name, at: stackFrames(error) },
      'an activity failed unexpectedly',
    );
}

function stackFrames(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim());
}
