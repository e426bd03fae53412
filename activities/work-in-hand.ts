import type { Context } from '@temporalio/activity';
import type { DocumentReference } from '../contract/activities';

/** What an attempt of an activity is about, as far as it is known: for logs, traces and heartbeats. */
export interface WorkInHand {
  /** Ledger key of the run. */
  runId?: string;
  document?: DocumentReference;
}

const inHand = new WeakMap<Context, WorkInHand>();

export function workInHand(context: Context): WorkInHand {
  return inHand.get(context) ?? {};
}

/** Notes what a value with these fields names, and nothing else of it: an activity's input, or a document's row. */
export function takeInHand(context: Context, named: unknown): void {
  if (typeof named !== 'object' || named === null) return;
  const { runId, documentType, machineId } = named as Record<string, unknown>;
  const isDocument = typeof documentType === 'string' && typeof machineId === 'string';
  inHand.set(context, {
    ...(typeof runId === 'string' ? { runId } : {}),
    ...(isDocument ? { document: { documentType, machineId } } : {}),
  });
}
