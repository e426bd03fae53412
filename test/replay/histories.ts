import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Each version of the package has its own folder. The folder of a released version is never changed. */
export const DIRECTORY = path.join(__dirname, 'histories');

interface RecordedEvent {
  eventType: string;
  activityTaskScheduledEventAttributes?: { activityId: string; activityType: { name: string } };
  activityTaskFailedEventAttributes?: { failure?: { applicationFailureInfo?: { type: string } } };
  workflowExecutionUpdateAcceptedEventAttributes?: { acceptedRequest: { input: { name: string } } };
  workflowExecutionSignaledEventAttributes?: { signalName: string };
  workflowExecutionFailedEventAttributes?: { failure: { applicationFailureInfo?: { type: string } } };
  workflowExecutionStartedEventAttributes?: { continuedExecutionRunId?: string };
}

/** As `temporal workflow show -o json` prints it. */
export interface RecordedHistory {
  events: RecordedEvent[];
}

/** Paths below DIRECTORY, such as `0.2.0/complete.json`. */
export function recordedFiles(): string[] {
  return readdirSync(DIRECTORY, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .sort();
}

export function recorded(file: string): RecordedHistory {
  return JSON.parse(readFileSync(path.join(DIRECTORY, file), 'utf8')) as RecordedHistory;
}

/** What happened in an execution, one word after the other: what it did, what came to it, how it ended. */
export function stepsOf({ events }: RecordedHistory): string {
  const steps = events.flatMap((event) => stepOf(event) ?? []);
  const hasEnded = /EXECUTION_(COMPLETED|FAILED|CANCELED|CONTINUED_AS_NEW)$/.test(
    events.at(-1)?.eventType ?? '',
  );
  return [...steps, ...(hasEnded ? [] : ['goes-on'])].join(' ');
}

const WORDS: Record<string, string> = {
  ACTIVITY_TASK_TIMED_OUT: 'timed-out',
  ACTIVITY_TASK_CANCELED: 'gave-way',
  START_CHILD_WORKFLOW_EXECUTION_INITIATED: 'child',
  TIMER_STARTED: 'timer',
  WORKFLOW_EXECUTION_CANCEL_REQUESTED: 'cancel-requested',
  WORKFLOW_EXECUTION_COMPLETED: 'completed',
  WORKFLOW_EXECUTION_CANCELED: 'cancelled',
  WORKFLOW_EXECUTION_CONTINUED_AS_NEW: 'continued',
};

function stepOf(event: RecordedEvent): string | undefined {
  const failed = event.activityTaskFailedEventAttributes;
  const ended = event.workflowExecutionFailedEventAttributes;
  return (
    event.activityTaskScheduledEventAttributes?.activityType.name ??
    event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest.input.name ??
    event.workflowExecutionSignaledEventAttributes?.signalName ??
    (failed && `failed:${failed.failure?.applicationFailureInfo?.type}`) ??
    (ended && `ended:${ended.failure.applicationFailureInfo?.type}`) ??
    (event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ? 'goes-on-from' : undefined) ??
    WORDS[event.eventType.replace('EVENT_TYPE_', '')]
  );
}

/** The history as text, with every payload decoded. */
export function decoded(history: RecordedHistory): string {
  return JSON.stringify(history).replaceAll(
    /"data":"([A-Za-z0-9+/=]*)"/g,
    (_, data: string) => `"data":${Buffer.from(data, 'base64').toString('utf8')}`,
  );
}
