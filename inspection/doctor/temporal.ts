import { Connection, type ConnectionLike, isGrpcServiceError } from '@temporalio/client';
import { type TemporalConfiguration, WITHOUT_PROXY } from '../../configuration/temporal';
import { ensureError } from '../../contract/failures';
import { SEARCH_ATTRIBUTES } from '../../contract/names';
import { missingBuild, workersOf } from '../../rules/task-queue';
import { check, type Finding, findingsOf } from './finding';

const CONNECT_TIMEOUT_MS = 4_000;
const ANSWER_TIMEOUT_MS = 5_000;
/** gRPC status codes. */
const NOT_FOUND = 5;
const DENIALS: readonly number[] = [7, 16];
/** `TaskQueueType` and `IndexedValueType` of Temporal's API. */
const TASK_QUEUES = { workflow: 1, activity: 2 } as const;
const KEYWORD = 2;

/**
 * Checks Temporal: the namespace, the search attributes, and whether a worker polls the task queue.
 *
 * @param taskQueue absent: the caller is a worker that is about to poll it
 */
export function checkTemporal(temporal: TemporalConfiguration, taskQueue?: string): Promise<Finding[]> {
  const { address, namespace } = temporal;
  return check(
    { area: 'temporal', subject: address, timeoutMs: 20_000, silence: 'TemporalUnavailable' },
    async () => {
      const { ok, fail } = findingsOf('temporal', address);
      let connection: Connection;
      try {
        connection = await Connection.connect({
          ...temporal.connection,
          connectTimeout: CONNECT_TIMEOUT_MS,
          channelArgs: WITHOUT_PROXY,
        });
      } catch (thrown) {
        const { message } = ensureError(thrown);
        if (isDenied(thrown)) return [fail(`does not let this client in (${message})`, 'TemporalRefused')];
        return [fail(`cannot be reached (${message})`, 'TemporalUnavailable')];
      }
      try {
        return await connection.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, async () => {
          const problem = await namespaceProblem(connection, namespace);
          if (problem !== undefined) return [ok('reachable'), problem];
          const rest = await Promise.all([
            checkSearchAttributes(connection, namespace),
            ...(taskQueue === undefined ? [] : [pollersOrWhyNot(connection, namespace, taskQueue)]),
          ]);
          return [ok(`reachable, namespace ${namespace} is there`), ...rest];
        });
      } finally {
        await connection.close();
      }
    },
  );
}

async function namespaceProblem(connection: Connection, namespace: string): Promise<Finding | undefined> {
  const { fail } = findingsOf('temporal', `namespace ${namespace}`);
  try {
    await connection.workflowService.describeNamespace({ namespace });
    return undefined;
  } catch (thrown) {
    const { message } = ensureError(thrown);
    if (isGrpcServiceError(thrown) && thrown.code === NOT_FOUND) {
      return fail('is not there', {
        type: 'NamespaceNotFound',
        remedy:
          `Create it: temporal operator namespace create --namespace ${namespace}; or set ` +
          `TEMPORAL_NAMESPACE to the right one.`,
      });
    }
    if (isDenied(thrown)) return fail(`may not be described (${message})`, 'TemporalRefused');
    return fail(`does not answer (${message})`, 'TemporalUnavailable');
  }
}

/** The SDK wraps the gRPC error. */
function isDenied(thrown: unknown): boolean {
  for (let link = thrown; link instanceof Error; link = link.cause)
    if (isGrpcServiceError(link)) return DENIALS.includes(link.code);
  return false;
}

/**
 * The search attributes of runs that the namespace does not have, or has with another type. @throws gRPC
 * errors
 */
export async function lookAtSearchAttributes(
  { operatorService }: ConnectionLike,
  namespace: string,
): Promise<{ missing: string[]; mistyped: string[] }> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const names = Object.values(SEARCH_ATTRIBUTES);
  const missing = names.filter((name) => customAttributes?.[name] === undefined);
  const mistyped = names.filter((name) => !missing.includes(name) && customAttributes?.[name] !== KEYWORD);
  return { missing, mistyped };
}

async function checkSearchAttributes(connection: Connection, namespace: string): Promise<Finding> {
  const { ok, warn, fail } = findingsOf('temporal', 'search attributes');
  const create = (missing: readonly string[]): string =>
    `temporal operator search-attribute create --namespace ${namespace} ` +
    `${missing.map((name) => `--name ${name} --type Keyword`).join(' ')}`;
  try {
    const { missing, mistyped } = await lookAtSearchAttributes(connection, namespace);
    if (mistyped.length > 0) {
      return fail(
        `${mistyped.join(', ')} ${mistyped.length === 1 ? 'is' : 'are'} not of type Keyword: runs would hang`,
        {
          type: 'SearchAttributesWrong',
          remedy:
            `Remove and register them again, then restart the workers: temporal operator ` +
            `search-attribute remove --namespace ${namespace} ` +
            `${mistyped.map((name) => `--name ${name}`).join(' ')}; ${create(mistyped)}`,
        },
      );
    }
    if (missing.length === 0) return ok('runs are found by operator, key and outcome');
    return warn(
      `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not registered: runs are found by ` +
        `their id only`,
      `Register them once, then restart the workers: ${create(missing)}`,
    );
  } catch (thrown) {
    return warn(
      `the namespace does not say which it has (${ensureError(thrown).message})`,
      `Where its own console does not show them: ${create(Object.values(SEARCH_ATTRIBUTES))}`,
    );
  }
}

function pollersOrWhyNot(connection: Connection, namespace: string, taskQueue: string): Promise<Finding> {
  return checkPollers(connection, namespace, taskQueue).catch((thrown: unknown) =>
    findingsOf('temporal', `task queue ${taskQueue}`).warn(
      `does not say who polls it (${ensureError(thrown).message})`,
      'Check that TEMPORAL_API_KEY or the certificate may describe task queues.',
    ),
  );
}

async function checkPollers(connection: Connection, namespace: string, taskQueue: string): Promise<Finding> {
  const { ok, fail } = findingsOf('temporal', `task queue ${taskQueue}`);
  const ofEachType = await Promise.all(
    Object.values(TASK_QUEUES).map(async (taskQueueType) => {
      const queue = { namespace, taskQueue: { name: taskQueue }, taskQueueType };
      return workersOf(await connection.workflowService.describeTaskQueue(queue), Date.now());
    }),
  );
  const workers = Math.min(...ofEachType.map(({ seen }) => seen.length));
  if (workers === 0)
    return fail('no worker polls it: runs wait, and nothing is lost', {
      type: 'NoWorker',
      remedy:
        `Start one: republish worker, with REPUBLISH_TASK_QUEUE=${taskQueue} and ` +
        `TEMPORAL_NAMESPACE=${namespace}.`,
    });
  const missing = ofEachType.map((each) => missingBuild(each)).find((each) => each !== undefined);
  if (missing !== undefined) return fail(missing, 'NoWorkerOfRelease');
  return ok(`${workers === 1 ? 'one worker polls' : `${workers} workers poll`} it`);
}
