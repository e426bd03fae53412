import type { Context } from '@temporalio/activity';
import type { DocumentReference } from '../contract/activities';

/** What an attempt of an activity is about, as far as it is known: for logs, traces and heartbeats. */
export interface WorkInHand {
  /** Ledger key of the run. */
  runId?: string;
  /** By the ledger's number, which is all that is known of a document until its row has been read. */
  documentNumber?: number;
  document?: DocumentReference;
}

const inHand = new WeakMap<Context, WorkInHand>();

export function workInHand(context: Context): WorkInHand {
  return inHand.get(context) ?? {};
}

/** Notes what a value names, and nothing else of it: an activity's input, or a document's row. */
export function takeInHand(context: Context, named: unknown): void {
  inHand.set(context, { ...workInHand(context), ...namedBy(named) });
}

function namedBy(value: unknown): WorkInHand {
  if (typeof value === 'number') return { documentNumber: value };
  if (typeof value !== 'object' || value === null) return {};
  const { runId, document, documentType, machineId } = value as Record<string, unknown>;
  const isDocument = typeof documentType === 'string' && typeof machineId === 'string';
  return {
    ...(typeof runId === 'string' ? { runId } : {}),
    ...(typeof document === 'number' ? { documentNumber: document } : {}),
    ...(isDocument ? { document: { documentType, machineId } } : {}),
  };
}

/** The same as the fields of a log line. */
export function logFieldsOf({ document, documentNumber }: WorkInHand): Record<string, string | number> {
  if (document !== undefined) return { ...document };
  return documentNumber === undefined ? {} : { documentNumber };
}
