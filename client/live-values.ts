import type { HeartbeatDetails } from '../contract/activities';
import { byMachineAndType } from '../rules/machine-name';
import { noStages, type Progress, type Stages, type WaitingDocument } from '../contract/progress';

export const MAX_WAITING = 20;

/** What is known of a run at this moment, from the run itself and from the pages that are in work. */
export interface LiveValues {
  /** How many documents are encrypted, signed, sent and standing. */
  stages: Stages;
  /** Open documents that wait, and why; at most 20, the longest trouble first. */
  waiting: WaitingDocument[];
  /** Pages on which a person must approve before the signer answers (NIP-46 `auth_url`). */
  approvals: string[];
}

export function liveValues(progress: Progress | null, heartbeats: HeartbeatDetails[]): LiveValues {
  return {
    stages: stagesNow(progress, heartbeats),
    waiting: waitingNow(progress, heartbeats),
    approvals: [
      ...new Set([...(progress?.approvals ?? []), ...heartbeats.flatMap(({ approvals }) => approvals ?? [])]),
    ],
  };
}

/**
 * The larger of two counts. `progress.stages` is the sum over all pages as of their last results. A heartbeat
 * counts all documents of its page. The two cannot be added: a page that is in work again is in both. So the
 * result is never too high. It is too low at most by the work of one turn, because pages yield after 10 s.
 */
function stagesNow(progress: Progress | null, heartbeats: HeartbeatDetails[]): Stages {
  const stages = noStages();
  for (const stage of Object.keys(stages) as (keyof Stages)[]) {
    const inWork = heartbeats.reduce((sum, heartbeat) => sum + (heartbeat.stages?.[stage] ?? 0), 0);
    stages[stage] = Math.max(progress?.stages[stage] ?? 0, inWork);
  }
  return stages;
}

/**
 * A heartbeat replaces what the last result of the page tells of a document, but `since` and `tries` stay
 * where the heartbeat has none. `type` belongs to `why`. Documents with trouble come first, the longest
 * trouble before all.
 */
function waitingNow(progress: Progress | null, heartbeats: HeartbeatDetails[]): WaitingDocument[] {
  const waiting = new Map<string, WaitingDocument>();
  for (const document of [
    ...(progress?.waiting ?? []),
    ...heartbeats.flatMap(({ waiting: inWork }) => inWork ?? []),
  ]) {
    const key = JSON.stringify([document.documentType, document.machineId]);
    const { type: _, ...known } = waiting.get(key) ?? {};
    waiting.set(key, { ...known, ...document });
  }
  const inOrder = byMachineAndType(Object.keys(progress?.documentTypes ?? {}));
  return [...waiting.values()]
    .sort((a, b) => (a.since ?? '9').localeCompare(b.since ?? '9') || inOrder(a, b))
    .slice(0, MAX_WAITING);
}
