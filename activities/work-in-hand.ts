import type { Context } from '@temporalio/activity';

/** What an attempt of an activity is about, as far as it is known: for logs, traces and heartbeats. */
export interface WorkInHand {
  /** Ledger key of the run. */
  runId?: string;
  /** A page of the run, by its number in the ledger. */
  page?: number;
  /** Of that page: known when its row was read, or where an earlier attempt has told it. */
  documentType?: string;
}

const inHand = new WeakMap<Context, WorkInHand>();

export function workInHand(context: Context): WorkInHand {
  return inHand.get(context) ?? {};
}

/** Notes what a value names, and nothing else of it: an activity's input, its last heartbeat's details, or a page's row. */
export function takeInHand(context: Context, named: unknown): void {
  inHand.set(context, { ...workInHand(context), ...namedBy(named) });
}

function namedBy(value: unknown): WorkInHand {
  if (typeof value !== 'object' || value === null) return {};
  const { runId, page, documentType } = value as Record<string, unknown>;
  return {
    ...(typeof runId === 'string' ? { runId } : {}),
    ...(typeof page === 'number' ? { page } : namedBy(page)),
    ...(typeof documentType === 'string' ? { documentType } : {}),
  };
}
