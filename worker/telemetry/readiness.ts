import type { NativeConnection, Worker } from '@temporalio/worker';
import { within } from '../../async/wait';
import type { Queryable } from '../../database/connection';

export interface NeededByWork {
  worker: Pick<Worker, 'getState'>;
  connection: NativeConnection;
  database: Queryable;
}

const ANSWER_WITHIN_MS = 2_000;
/** The servers are asked at most once a second, however many requests come. */
const KEPT_FOR_MS = 1_000;

/** Why a worker can take no work now, in words that name no address. */
export function readinessOf({ worker, connection, database }: NeededByWork): () => Promise<string[]> {
  const ask = async (): Promise<string[]> => {
    const whys = await Promise.all([
      whyNot(database.query('SELECT 1'), 'Postgres'),
      whyNot(
        connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
          connection.workflowService.getSystemInfo({}),
        ),
        'Temporal',
      ),
    ]);
    return whys.filter((trouble) => trouble !== undefined);
  };
  let kept: { atMs: number; troubles: Promise<string[]> } | undefined;
  return async () => {
    const state = worker.getState();
    if (state !== 'RUNNING') return [`the worker does not poll: it is ${state.toLowerCase()}`];
    if (kept === undefined || Date.now() - kept.atMs > KEPT_FOR_MS)
      kept = { atMs: Date.now(), troubles: ask() };
    return kept.troubles;
  };
}

/** Undefined: it answered in time. */
async function whyNot(question: Promise<unknown>, who: string): Promise<string | undefined> {
  const answered = question.then(
    () => true,
    () => false,
  );
  return (await within(answered, ANSWER_WITHIN_MS)) ? undefined : `${who} does not answer`;
}
