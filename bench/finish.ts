import { RepublishFailed, type RepublishRun } from '../client';
import type { World } from './world';

/**
 * Waits for the end of a run of which every document is to be published. One that has more ids than a result
 * carries ends as ResultTooLarge by design: it is complete, and the ledger has the ids.
 *
 * @throws what ended the run otherwise
 */
export async function finish(run: RepublishRun): Promise<void> {
  try {
    await run.result();
  } catch (error) {
    if (!(error instanceof RepublishFailed && error.type === 'ResultTooLarge')) throw error;
  }
}

/** @throws Error where a run did not publish exactly so many documents, and no other */
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
