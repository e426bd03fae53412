import type { FailureKind } from './kind';

/** What is wrong with the workers, or with Temporal, which hands them their work. */
export const WORKER = {
  WorkerOutdated: {
    scope: 'temporal',
    retryable: true,
    meaning: 'A worker of an older release took a document of a type that it does not know.',
    remedy: 'Deploy the same release to all workers of the task queue.',
  },
  ClockWrong: {
    scope: 'worker',
    retryable: true,
    meaning:
      'The clock of a worker is more than a minute off, as two others say: relays, or a Postgres on another machine.',
    remedy:
      "Set the clock of the worker's host (NTP: timedatectl, chronyc makestep); republish doctor on that host compares it again. Nothing was dated by it. A run goes on by itself for as long as a document may wait (REPUBLISH_DOCUMENT_TIMEOUT_MS); where it ended so, start again.",
  },
  ActivityTimeout: {
    scope: 'temporal',
    meaning: 'The step did not end within its bound, without a reason of its own.',
    remedy: 'Check that workers are running on the task queue, then start again.',
  },
  RunStuck: {
    scope: 'temporal',
    obstacle: 'stuck',
    meaning:
      "Workers take the run's next step and fail with it each time (the workflow task of Temporal): nothing is decided, and nothing is lost, until that is mended.",
    remedy:
      'Mend what the message names: an unknown encoding needs the data converter of whoever started the run, in the workers too; for a search attribute of another type see republish doctor; after nondeterminism put the earlier build back (docs/operations.md). Then the run goes on by itself. To give it up as it is: republish end <operator>.',
  },
  NoWorker: {
    scope: 'temporal',
    obstacle: 'waits for a worker',
    meaning: 'Nobody polls the task queue of the run, so that it waits.',
    remedy:
      'Start one: republish worker, with REPUBLISH_TASK_QUEUE, TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE as the run has them; it goes on by itself. Was it started on a wrong queue: republish end <operator>, then start again.',
  },
  NoWorkerOfRelease: {
    scope: 'temporal',
    obstacle: 'waits for a worker',
    meaning:
      'Workers poll the task queue of the run, and none is of the build to which Temporal gives it (Worker Versioning).',
    remedy:
      'Start a worker of the build that the message names, or make the build of those that are there the current one: temporal worker deployment set-current-version (docs/operations.md, "With Worker Versioning").',
  },
  WorkerSilent: {
    scope: 'temporal',
    obstacle: 'passing',
    meaning: 'Workers poll the task queue of the run, or have done so a moment ago, and none has answered.',
    remedy:
      'Look again in a minute: a worker that has ended is counted for so long. If it stays so, see the log of the workers, and that they have the same TEMPORAL_NAMESPACE.',
  },
  TemporalUnavailable: {
    scope: 'temporal',
    retryable: true,
    exit: 'preflight',
    meaning:
      'Temporal does not answer. A run that goes on is not affected: it is kept by Temporal and done by the workers.',
    remedy: 'Start Temporal, or set TEMPORAL_ADDRESS (and TLS or API key) to where it is, and ask again.',
  },
  TemporalRefused: {
    scope: 'temporal',
    exit: 'preflight',
    meaning: 'Temporal answers, and does not let this caller do that.',
    remedy: 'Check TEMPORAL_NAMESPACE, the API key or client certificate, and what they are allowed to do.',
  },
  NamespaceNotFound: {
    scope: 'temporal',
    exit: 'preflight',
    meaning: 'Temporal answers, and has no namespace of that name.',
    remedy: 'Set TEMPORAL_NAMESPACE to the right one, or have it created.',
  },
  SearchAttributesWrong: {
    scope: 'temporal',
    exit: 'preflight',
    meaning:
      'A search attribute that runs set is of another type in the namespace: their workflow tasks would fail for ever, so that no worker starts.',
    remedy:
      'Remove it and register it anew with type Keyword, then restart the workers: republish doctor has the commands.',
  },
} as const satisfies Record<string, FailureKind>;
