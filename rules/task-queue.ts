/** Who has polled a task queue lately, and who gets its tasks. */
export interface TaskQueueWorkers {
  /** For each worker its build, `<deployment>:<build id>`; null: it has no deployment. */
  seen: (string | null)[];
  /** Workers that were last seen longer ago, by the clock of the caller, which may be wrong. */
  gone: number;
  /** Builds to which Temporal gives tasks; null: workers without a deployment. */
  routesTo: (string | null)[];
}

interface BuildName {
  deploymentName?: string | null;
  buildId?: string | null;
}

/** As far as it matters here: Temporal's DescribeTaskQueueResponse. */
interface TaskQueueDescription {
  pollers?:
    | {
        lastAccessTime?: { seconds?: unknown } | null;
        deploymentOptions?: (BuildName & { workerVersioningMode?: number | null }) | null;
      }[]
    | null;
  versioningInfo?: {
    currentDeploymentVersion?: BuildName | null;
    rampingDeploymentVersion?: BuildName | null;
    rampingVersionPercentage?: number | null;
  } | null;
}

/** A worker that waits for work shows itself at least once a minute. */
const SEEN_WITHIN_MS = 90_000;
/** `WorkerVersioningMode` of Temporal's API. */
const VERSIONED = 2;

export function workersOf(
  { pollers, versioningInfo }: TaskQueueDescription,
  nowMs: number,
): TaskQueueWorkers {
  const seen = (pollers ?? []).filter(
    ({ lastAccessTime }) => nowMs - Number(lastAccessTime?.seconds ?? 0) * 1_000 < SEEN_WITHIN_MS,
  );
  const ramps = (versioningInfo?.rampingVersionPercentage ?? 0) > 0;
  return {
    seen: seen.map(({ deploymentOptions: build }) =>
      build?.workerVersioningMode === VERSIONED ? buildName(build) : null,
    ),
    gone: (pollers ?? []).length - seen.length,
    routesTo: [
      buildName(versioningInfo?.currentDeploymentVersion),
      ...(ramps ? [buildName(versioningInfo?.rampingDeploymentVersion)] : []),
    ],
  };
}

/** `<deployment>:<build id>`. */
export function buildName(build: BuildName | null | undefined): string | null {
  return build?.buildId ? `${build.deploymentName}:${build.buildId}` : null;
}

/**
 * Which build has no worker although tasks are for it, as the end of a sentence about the task queue;
 * undefined where one is there.
 *
 * @param pinnedTo the build of a run that is pinned to one build
 */
export function missingBuild({ seen, routesTo }: TaskQueueWorkers, pinnedTo?: string): string | undefined {
  const wanted = pinnedTo === undefined ? routesTo : [pinnedTo];
  if (wanted.some((build) => seen.includes(build))) return undefined;
  const names = (builds: (string | null)[]): string =>
    [...new Set(builds)].map((build) => build ?? 'workers without a deployment').join(', ');
  return `tasks are for ${names(wanted)}, and those that poll are ${names(seen)}`;
}
