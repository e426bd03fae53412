import { RepublishFailed, type RepublishRun } from '../client';
import type { World } from './world';

/**
 * Waits for the end of a run. A run with more event ids than a result can have ends as ResultTooLarge: it is
 * complete, and the ledger has the ids.
 *
 * @throws any other failure of the run
 */
export async function finish(run: RepublishRun): Promise<void> {
  try {
    await run.result();
  } catch (error) {
    if (!(error instanceof RepublishFailed && error.type === 'ResultTooLarge')) throw error;
  }
}

/** @throws Error the run has not published exactly so many documents, or has other outcomes */
export async function requirePublished(world: World, run: RepublishRun, documents: number): Promise<void> {
  const [row] = await world.database.query<{ planned: number; published: number }>(
    `SELECT count(*)::int AS planned, (count(*) FILTER (WHERE outcome = 'published'))::int AS published
       FROM republish.documents WHERE run_id = $1`,
    [run.runId],
  );
  if (row?.published !== documents || row.planned !== documents)
    throw new Error(
      `${row?.published ?? 0} of ${row?.planned ?? 0} documents were published, not ${documents}`,
    );
}
