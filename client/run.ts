import type { Client } from '@temporalio/client';
import type { ControlRequest, ControlResult, DocumentSelection, UpdateName } from '../contract/control';
import type { RepublishResult } from '../contract/input';
import { operatorOf } from '../contract/names';
import type { Progress } from '../contract/progress';
import { ofOperator } from './errors';
import { type Handle, type HandleName, handleOf } from './handle';
import { type RunDetails, type RunStatus, runStatusKind } from './run-status';

/**
 * A run of one operator, started by this call or found. `result()` resolves with event ids (64 hex
 * characters) by document type; it rejects with RepublishFailed when documents failed, and `published` of
 * that error tells which documents stand.
 *
 * `progress()` counts documents. Counts by outcome change when a page ends; `stages`, `waiting` and
 * `approvals` also contain what the pages in work reported.
 */
export interface RepublishRun extends Handle<Progress, RunStatus, RepublishResult> {
  /** Begins no further document until `resume`. What is signed is finished. @throws ControlRefused */
  pause(request?: ControlRequest): Promise<void>;
  /** Continues after `pause`. @throws ControlRefused when the run is not paused */
  resume(request?: ControlRequest): Promise<void>;
  /**
   * Tries failed documents again now: those of `documentType` and of `machineId`, default: all.
   *
   * @returns the number of documents @throws ControlRefused when none has failed
   */
  retry(selection?: DocumentSelection): Promise<number>;
  /**
   * Gives up documents that are not published: those of `documentType` and of `machineId`. Both may be left
   * out only while the run is holding.
   *
   * @returns the number of documents @throws ControlRefused
   */
  skip(selection?: DocumentSelection): Promise<number>;
}

/** Pages in work end before `skip` and `retry` change them. */
const UPDATE_TIMEOUT_MS = 60_000;

/** The handle of a run. Nothing is asked of Temporal yet. */
export function runOf(client: Client, name: HandleName): RepublishRun {
  const operator = operatorOf(name.workflowId);
  const { handle, control } = handleOf<Progress, RunDetails, RepublishResult>(client, name, {
    ...runStatusKind(client),
    subject: 'run',
    updateTimeoutMs: UPDATE_TIMEOUT_MS,
    withRemedy: (error) => ofOperator(error, operator),
  });
  const update = async (update: UpdateName, request?: DocumentSelection): Promise<number> =>
    (await control.update<ControlResult>(update, request)).documents;
  return {
    ...handle,
    pause: async (request) => void (await update('pause', request)),
    resume: async (request) => void (await update('resume', request)),
    retry: (selection) => update('retry', selection),
    skip: (selection) => update('skip', selection),
    async cancel(request) {
      const { takenBy, obstacle } = await control.cancel(request);
      return { takenBy, obstacle };
    },
  };
}
