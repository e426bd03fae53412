import type { Context } from '@temporalio/activity';

/**
 * What an attempt of an activity works on, as far as it is known: for logs, traces, heartbeats and failures.
 */
export interface WorkInHand {
  /** The run's key in the ledger. */
  runId?: string;
  page?: number;
  /** Of the page. It is known once the page's row was read. */
  documentType?: string;
}

const inHand = new WeakMap<Context, WorkInHand>();

export function workInHand(context: Context): WorkInHand {
  return inHand.get(context) ?? {};
}

/**
 * Takes the run, page and document type out of a value (an activity's input, a ledger row), and nothing else.
 */
export function takeInHand(context: Context, named: unknown): void {
  if (typeof named !== 'object' || named === null) return;
  const { runId, page, documentType } = named as Record<string, unknown>;
  inHand.set(context, {
    ...workInHand(context),
    ...(typeof runId === 'string' ? { runId } : {}),
    ...(typeof page === 'number' ? { page } : {}),
    ...(typeof documentType === 'string' ? { documentType } : {}),
  });
}
