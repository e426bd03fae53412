import { type FailureKind, ofBoth } from './kind';

/** A worker is at fault, or Temporal, which gives workers their tasks. */
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
    ...ofBoth(({ subject, again }) => ({
      meaning:
        'The clock of a worker is more than a minute off. Two other clocks agree on that: relays, or a Postgres on another host.',
      remedy: `Set the clock of the worker's host (NTP: timedatectl, chronyc makestep); republish doctor on that host compares it again. No event was dated by it. The ${subject} continues automatically until REPUBLISH_DOCUMENT_TIMEOUT_MS is over. After that: ${again}.`,
    })),
  },
  ActivityTimeout: {
    scope: 'temporal',
    ...ofBoth(({ again }) => ({
      meaning: 'A step did not end within its time limit, and gave no reason.',
      remedy: `Check that workers are running on the task queue, and read their log. Then ${again}.`,
    })),
  },
  RunStuck: {
    scope: 'temporal',
    obstacle: 'stuck',
    ...ofBoth(({ subject, command }) => ({
      meaning: `Workers take the ${subject}'s next step and fail with it each time (the workflow task of Temporal). The ${subject} stands still until that is corrected, and nothing is lost.`,
      remedy: `Correct what the message names. For an unknown encoding, give the workers the data converter with which the ${subject} was started. For a search attribute of another type, see republish doctor. After nondeterminism, put the earlier build back (docs/operations.md). Then the ${subject} continues automatically. To end it now: ${command('end')}.`,
    })),
  },
  WorkerHangs: {
    scope: 'temporal',
    obstacle: 'stuck',
    ...ofBoth(({ subject, command }) => ({
      meaning: `Workers take the ${subject}'s next step and do not finish it: they hang or die (the workflow task of Temporal times out). The ${subject} stands still, and nothing is lost.`,
      remedy: `Look at the workers and read their log: one hangs, is killed, or has no memory or CPU left. If the log has an error of this ${subject}, correct that first. Restart the workers; then the ${subject} continues within minutes. If restarted workers hang or die again, end the ${subject}: ${command('end')}.`,
    })),
  },
  NoWorker: {
    scope: 'temporal',
    obstacle: 'waits for a worker',
    ...ofBoth(({ subject, command }) => ({
      meaning: `No worker polls the task queue of the ${subject}, so the ${subject} waits.`,
      remedy: `Start one: republish worker, with REPUBLISH_TASK_QUEUE, TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE of the ${subject}. Then the ${subject} continues automatically. If the ${subject} was started on a wrong queue: ${command('end')}, then start again.`,
    })),
  },
  NoWorkerOfRelease: {
    scope: 'temporal',
    obstacle: 'waits for a worker',
    ...ofBoth(({ subject }) => ({
      meaning: `Workers poll the task queue of the ${subject}, but none has the build to which Temporal gives the ${subject} (Worker Versioning).`,
      remedy:
        'Start a worker of the build that the message names, or make the build of the running workers the current one: temporal worker deployment set-current-version (docs/operations.md, "With Worker Versioning").',
    })),
  },
  WorkerSilent: {
    scope: 'temporal',
    obstacle: 'passing',
    ...ofBoth(({ subject, command }) => ({
      meaning: `Workers poll the task queue of the ${subject}, or did so a moment ago, but none answers.`,
      remedy: `Look again in two minutes: Temporal still counts a worker that has just ended. If this stays, look at the workers and read their log: restart one that hangs, and check that they have the same TEMPORAL_NAMESPACE. If no worker will answer, end the ${subject}: ${command('end')}.`,
    })),
  },
  TemporalUnavailable: {
    scope: 'temporal',
    retryable: true,
    exit: 'preflight',
    meaning: 'Temporal does not answer this caller. A running run is not affected: the workers do the work.',
    remedy:
      'Start Temporal, or set TEMPORAL_ADDRESS (and TEMPORAL_TLS_*, TEMPORAL_API_KEY) to the right server, and try again.',
  },
  TemporalRefused: {
    scope: 'temporal',
    exit: 'preflight',
    meaning: 'Temporal answers, but does not allow this caller to do that.',
    remedy:
      'Check TEMPORAL_NAMESPACE, and that TEMPORAL_API_KEY or the client certificate is allowed to do that.',
  },
  NamespaceNotFound: {
    scope: 'temporal',
    exit: 'preflight',
    meaning: 'Temporal answers, but has no namespace of that name.',
    remedy: 'Set TEMPORAL_NAMESPACE to the right namespace, or have it created.',
  },
  SearchAttributesWrong: {
    scope: 'temporal',
    exit: 'preflight',
    meaning:
      'A search attribute that runs set has another type in the namespace. Every workflow task would fail, so no worker starts.',
    remedy:
      'Remove it and register it again with type Keyword, then restart the workers. republish doctor shows the commands.',
  },
} as const satisfies Record<string, FailureKind>;
