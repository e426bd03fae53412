import { randomUUID } from 'node:crypto';
import { DefaultLogger } from '@temporalio/worker';
import { MockActivityEnvironment } from '@temporalio/testing';
import pino from 'pino';
import { createActivities } from '../../activities/create-activities';
import type { ActivityDependencies } from '../../activities/dependencies';
import type { Activities, LoadMachinesResult } from '../../contract/activities';
import type { RepublishInput } from '../../contract/input';
import type { DocumentRow } from '../../database/ledger/documents';
import { documentTypes } from '../../documents/registry';
import { buildDependencies } from '../../assembly/build-dependencies';
import type { Saga, SagaOperator } from './saga';

/** The activities of a worker on the parts of a saga, each called by itself in a mocked activity context. */
export interface ActivityBench {
  dependencies: ActivityDependencies;
  call<K extends keyof Activities>(
    name: K,
    input: Parameters<Activities[K]>[0],
    environment?: MockActivityEnvironment,
  ): Promise<Awaited<ReturnType<Activities[K]>>>;
  /** Opens and plans a run, and has the signer proved unless that is left out. */
  plan(
    operator: Pick<SagaOperator, 'id'>,
    request?: Omit<RepublishInput, 'operatorUserId'>,
    options?: { prove?: boolean },
  ): Promise<{ runId: string; loaded: LoadMachinesResult }>;
  row(runId: string, documentType: string, machineId: string | undefined): Promise<DocumentRow>;
}

/** A fresh one for each call: its cancelled state sticks. */
export function activityEnvironment(): MockActivityEnvironment {
  return new MockActivityEnvironment(
    { workflowExecution: { workflowId: 'w', runId: 'r' } },
    { logger: new DefaultLogger('ERROR', () => undefined) },
  );
}

/** @param overrides settings, and dependencies in place of the real ones (such as shorter patience) */
export function startActivities(
  saga: Saga,
  overrides: { env?: Record<string, string>; patience?: Partial<ActivityDependencies['patience']> } = {},
): ActivityBench {
  const built = buildDependencies(
    saga.configuration(overrides.env),
    { documentTypes },
    { logger: pino({ level: 'silent' }) },
  );
  saga.onStop(() => built.close());
  const dependencies = {
    ...built.dependencies,
    patience: { ...built.dependencies.patience, ...overrides.patience },
  };
  const activities = createActivities(dependencies);
  const bench: ActivityBench = {
    dependencies,
    call: async <K extends keyof Activities>(
      name: K,
      input: Parameters<Activities[K]>[0],
      environment = activityEnvironment(),
    ): Promise<Awaited<ReturnType<Activities[K]>>> => {
      const activity = activities[name] as (of: unknown) => Promise<Awaited<ReturnType<Activities[K]>>>;
      return (await environment.run(activity, input)) as Awaited<ReturnType<Activities[K]>>;
    },
    async plan({ id }, request = {}, { prove = true } = {}) {
      const runId = randomUUID();
      const loaded = await bench.call('loadMachines', { runId, request: { operatorUserId: id, ...request } });
      if (prove) await bench.call('proveSigner', { runId });
      return { runId, loaded };
    },
    async row(runId, documentType, machineId) {
      const rows = await saga.ledger(runId);
      const found = rows.find((each) => each.documentType === documentType && each.machineId === machineId);
      if (found === undefined) throw new Error('no such row');
      return found;
    },
  };
  return bench;
}
