import { isGrpcServiceError } from '@temporalio/client';
import { RepublishFailed } from '../../client/errors';
import type { RepublishRun } from '../../client/run';
import type { RepublishInput, RepublishResult } from '../../contract/input';
import type { WrittenAuditRow } from '../../database/audit';
import type { DocumentRow } from '../../database/ledger/documents';
import type { BunkerOptions } from '../../dev/bunker';
import type { BunkerRequest } from '../../dev/bunker-faults';
import { checkInvariants, type RunToCheck, STATE_CANARIES, watchSeals } from './invariants';
import type { Saga, SagaOperator } from './saga';

/** An operator whose state contains canaries. */
export async function addOperatorWithCanaries(
  saga: Saga,
  options: { machines?: number; bunker?: Partial<BunkerOptions> } = {},
): Promise<SagaOperator> {
  const operator = await saga.addOperator(options);
  const ids = operator.machines.map(({ id }) => id);
  await plantCanaries(saga, ids);
  return operator;
}

/** Writes canaries into cassettes and fees of machines; they stand in the fees' totals, too. */
export async function plantCanaries({ database }: Saga, machineIds: string[]): Promise<void> {
  const { denomination, count, fee } = STATE_CANARIES;
  await database.query(
    'UPDATE spirekeeper.cassette_configs SET denomination = $1, count = $2 WHERE machine_id = ANY ($3)',
    [denomination, count, machineIds],
  );
  // Upstream's column has four decimals, too few for a canary.
  await database.query(
    'ALTER TABLE spirekeeper.dca_machines ALTER COLUMN operator_cash_in_fee_fraction TYPE numeric',
  );
  await database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = $1 WHERE id = ANY ($2)',
    [`0.01${fee}`, machineIds],
  );
}

/** Whether the request encrypts a document, not the probe text of the proof. */
export function isEncryptionFor({ machines }: SagaOperator, { method, params }: BunkerRequest): boolean {
  return method === 'nip44_encrypt' && machines.some(({ atmPubkey }) => atmPubkey === params[0]);
}

export interface EndedRun {
  run: RepublishRun;
  /** What stands, in the order of document type and machine. */
  ids: string[];
  failure: RepublishFailed | undefined;
  audit: WrittenAuditRow;
  ledger: DocumentRow[];
}

/**
 * Starts a run, waits for its end, whichever it is, and checks the invariants.
 *
 * @param during what happens meanwhile; a rejection fails the test
 */
export async function runUnderFault(
  saga: Saga,
  operator: Pick<SagaOperator, 'id' | 'machines'> & Pick<RunToCheck, 'bunker'>,
  options: {
    during?: (run: RepublishRun) => Promise<void>;
    input?: Omit<RepublishInput, 'operatorUserId'>;
    check?: Pick<RunToCheck, 'quorum' | 'canaries' | 'earlierStates' | 'stores'>;
    /** How often the ledger is looked at for changed ids; seldom, where it is large. */
    watchEveryMs?: number;
  } = {},
): Promise<EndedRun> {
  const run = await saga.start(operator.id, options.input);
  const watcher = watchSeals(saga, run.runId, options.watchEveryMs);
  let failure: RepublishFailed | undefined;
  const ended = resultOf(run).catch((error: unknown): RepublishResult => {
    if (!(error instanceof RepublishFailed)) throw error;
    failure = error;
    return error.published;
  });
  try {
    await Promise.all([ended, options.during?.(run)]);
  } catch (error) {
    // A run that goes on after a failed test would keep the test process alive.
    await saga.client.workflow
      .getHandle(run.workflowId, run.runId)
      .terminate()
      .catch(() => undefined);
    await Promise.allSettled([ended, watcher.end()]);
    throw error;
  }
  const seals = await watcher.end();
  await checkInvariants(saga, {
    operatorId: operator.id,
    runId: run.runId,
    bunker: operator.bunker,
    machines: operator.machines,
    seals,
    ...options.check,
  });
  const audit = (await saga.audits(operator.id)).find(({ runId }) => runId === run.runId);
  if (audit === undefined) throw new Error('the checker has let a run without an audit row pass');
  return {
    run,
    ids: Object.values(audit.events).flat(),
    failure,
    audit,
    ledger: await saga.ledger(run.runId),
  };
}

const REACHABLE_AGAIN_WITHIN_MS = 60_000;

/** Waits for the end of the run, also across an outage of Temporal: the connection is not tested here. */
async function resultOf(run: RepublishRun): Promise<RepublishResult> {
  for (const deadlineMs = Date.now() + REACHABLE_AGAIN_WITHIN_MS; ;) {
    try {
      return await run.result();
    } catch (error) {
      if (!isGrpcServiceError(error) || Date.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
