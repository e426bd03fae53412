import type { Client } from '@temporalio/client';
import { successorOf } from '../client/chain';
import type { RepublishRun } from '../client';

/** The workflow history of a run in Temporal. */
export interface HistoryFacts {
  executions: number;
  events: number;
  bytes: number;
  largestEvents: number;
  largestBytes: number;
  activities: Record<string, ActivityFacts>;
  /** From the start of the first execution to the end of the last. */
  ms: number;
}

/** The activities of one type. */
export interface ActivityFacts {
  /** How many were scheduled. A retry of an attempt is not counted. */
  times: number;
  /** The time in which at least one of them waited for a worker or was running. */
  ms: number;
}

type Span = [fromMs: number, toMs: number];

export async function historyOf(client: Client, run: RepublishRun): Promise<HistoryFacts> {
  const facts = { executions: 0, events: 0, bytes: 0, largestEvents: 0, largestBytes: 0 };
  const spans = new Map<string, Span[]>();
  let begunAtMs = Infinity;
  let endedAtMs = 0;
  let runId: string | undefined = run.runId;
  while (runId !== undefined) {
    const execution = client.workflow.getHandle(run.workflowId, runId);
    const { raw, startTime, closeTime } = await execution.describe();
    const events = Number(raw.workflowExecutionInfo?.historyLength ?? 0);
    const bytes = Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0);
    facts.executions += 1;
    facts.events += events;
    facts.bytes += bytes;
    facts.largestEvents = Math.max(facts.largestEvents, events);
    facts.largestBytes = Math.max(facts.largestBytes, bytes);
    begunAtMs = Math.min(begunAtMs, startTime.getTime());
    endedAtMs = Math.max(endedAtMs, closeTime?.getTime() ?? 0);
    noteActivities(spans, (await execution.fetchHistory()).events ?? []);
    runId = await successorOf(client, run.workflowId, runId);
  }
  const activities = Object.fromEntries(
    [...spans].map(([type, own]) => [type, { times: own.length, ms: covered(own) }]),
  );
  return { ...facts, activities, ms: endedAtMs - begunAtMs };
}

type HistoryEvents = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']
>;

function noteActivities(spans: Map<string, Span[]>, events: HistoryEvents): void {
  const open = new Map<string, { type: string; fromMs: number }>();
  for (const event of events) {
    const atMs = Number(event.eventTime?.seconds ?? 0) * 1000 + Number(event.eventTime?.nanos ?? 0) / 1e6;
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled != null)
      open.set(String(event.eventId), { type: scheduled.activityType?.name ?? '', fromMs: atMs });
    const ended =
      event.activityTaskCompletedEventAttributes ??
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.activityTaskCanceledEventAttributes;
    const begun = ended == null ? undefined : open.get(String(ended.scheduledEventId));
    if (begun === undefined) continue;
    spans.set(begun.type, [...(spans.get(begun.type) ?? []), [begun.fromMs, atMs]]);
  }
}

/** The total time that at least one span covers. */
function covered(spans: Span[]): number {
  let totalMs = 0;
  let untilMs = -Infinity;
  for (const [fromMs, toMs] of spans.toSorted(([a], [b]) => a - b)) {
    totalMs += Math.max(0, toMs - Math.max(fromMs, untilMs));
    untilMs = Math.max(untilMs, toMs);
  }
  return totalMs;
}
