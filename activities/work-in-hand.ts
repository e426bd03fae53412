import type { Context } from '@temporalio/activity';

/**
 * What an attempt of an activity is about, as far as it is known: for logs, traces, heartbeats and failures.
 */
export interface WorkInHand {
  /** Ledger key of the run. */
  runId?: string;
  page?: number;
  /** Of the page; known once its row has been read. */
  documentType?: string;
}

const inHand = new WeakMap<Context, WorkInHand>();

export function workInHand(context: Context): WorkInHand {
  return inHand.get(context) ?? {};
}

/** Notes what a value (an activity's input, a row of the ledger) names of these, and nothing else of it. */
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
