import type { Context } from '@temporalio/activity';
import type { DocumentNumber, DocumentReference } from '../contract/activities';

/** What an attempt of an activity is about, as far as it is known: for logs, traces, heartbeats and failures. */
export interface WorkInHand {
  /** Ledger key of the run. */
  runId?: string;
  document?: DocumentReference | DocumentNumber;
}

const inHand = new WeakMap<Context, WorkInHand>();

export function workInHand(context: Context): WorkInHand {
  return inHand.get(context) ?? {};
}

/**
 * Notes what a value names, and nothing else of it: an activity's input, of which a bare number is a document's, or a document's
 * row. A name once known is not given up for a number.
 */
export function takeInHand(context: Context, named: unknown): void {
  const { runId, document } = namedBy(named);
  const known = workInHand(context);
  const isBetter = document !== undefined && (known.document === undefined || 'machineId' in document);
  inHand.set(context, {
    ...known,
    ...(runId === undefined ? {} : { runId }),
    ...(isBetter ? { document } : {}),
  });
}

function namedBy(value: unknown): WorkInHand {
  if (typeof value === 'number') return { document: { documentNumber: value } };
  if (typeof value !== 'object' || value === null) return {};
  const { runId, document, documentType, machineId } = value as Record<string, unknown>;
  const named =
    typeof documentType === 'string' && typeof machineId === 'string'
      ? { document: { documentType, machineId } }
      : namedBy(document);
  return { ...(typeof runId === 'string' ? { runId } : {}), ...named };
}
