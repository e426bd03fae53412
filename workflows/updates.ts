import { ApplicationFailure, defineUpdate, isCancellation, setHandler } from '@temporalio/workflow';
import type { ControlRequest, DocumentSelection, Intervention, UpdateName } from '../contract/control';
import { scopeOf } from '../contract/failures';
import { problemOfControl } from '../rules/control';
import { failureOf } from './failure-of';

/**
 * More interventions than these are not kept. The audit has room for a night's work of a person, not for a
 * script that runs wild, and they travel with each continue-as-new.
 */
const MAX_INTERVENTIONS = 100;

/** The updates of a workflow. A run and a fleet have the same kind of them. */
export interface Updates<Name extends UpdateName, Answer> {
  /** Names of the updates, with their descriptions in the Temporal UI. */
  descriptions: Record<Name, string>;
  /** Why the update is not possible now, as a sentence; undefined: it is possible. */
  refusal(name: Name, selection: DocumentSelection): string | undefined;
  perform(name: Name, asked: Intervention): Promise<Answer>;
  /** Something that is shown has changed. */
  onChange(): void;
  /** What people asked for, for the audit; new ones are added. */
  interventions: Intervention[];
}

/**
 * Sets the handlers. Call it when the workflow is complete: an update that came with the first task of an
 * execution is handled immediately, within this call.
 */
export function handleUpdates<Name extends UpdateName, Answer>(updates: Updates<Name, Answer>): void {
  for (const name of Object.keys(updates.descriptions) as Name[]) handle(updates, name);
}

function handle<Name extends UpdateName, Answer>(updates: Updates<Name, Answer>, name: Name): void {
  const { interventions, descriptions } = updates;
  const update = defineUpdate<Answer, [ControlRequest | undefined]>(name);
  const validator = (request: ControlRequest | undefined): void => {
    const problem = problemOfControl(name, request) ?? updates.refusal(name, request ?? {});
    if (problem !== undefined) throw ApplicationFailure.nonRetryable(problem, 'InvalidInput');
  };
  const handler = async (request: ControlRequest | undefined): Promise<Answer> => {
    const asked = { action: name, at: new Date().toISOString(), ...withoutNulls(request) };
    if (interventions.length < MAX_INTERVENTIONS) interventions.push(asked);
    try {
      return await updates.perform(name, asked);
    } catch (error) {
      if (isCancellation(error)) throw error;
      const { type, message } = failureOf(error);
      // It named a document that does not exist. Nothing was done, so the audit row does not have it.
      if (scopeOf(type) === 'caller' && interventions.includes(asked))
        interventions.splice(interventions.indexOf(asked), 1);
      throw ApplicationFailure.nonRetryable(message, type);
    } finally {
      updates.onChange();
    }
  };
  setHandler(update, handler, { validator, description: descriptions[name] });
}

/** The request without the keys that other languages send as null. */
export function withoutNulls(
  request: Partial<Record<keyof DocumentSelection, string | undefined>> | undefined,
): DocumentSelection {
  return Object.fromEntries(Object.entries(request ?? {}).filter(([, value]) => value != null));
}
