import type { Client } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  RetryState,
  TerminatedFailure,
  TimeoutFailure,
  TimeoutType,
} from '@temporalio/common';
import fc from 'fast-check';
import { asRepublishFailed } from '../../client/temporal-errors';
import { FAILURES, type FailureType, meaningOf } from '../../contract/failures';
import { endOfFailedRun, failureOfRun, outcomeOfFailure, outcomeOfFleet } from '../../rules/run-end';
import vectors from '../vectors/run-failures.json';

interface Vector {
  failure: { is: string; message: string; type?: string; details?: unknown[] };
  under?: string[];
  type: string;
  /** Absent: the failure is not ours. */
  message?: string;
  /** Words that are not ours. */
  foreign?: string;
}

function sdkFailure({ failure: { is, message, type, details = [] }, under = [] }: Vector): Error {
  const failure =
    is === 'application'
      ? ApplicationFailure.create({ message, ...(type ? { type } : {}), details })
      : is === 'cancelled'
        ? new CancelledFailure(message)
        : is === 'terminated'
          ? new TerminatedFailure(message)
          : new TimeoutFailure(message, undefined, TimeoutType.START_TO_CLOSE);
  return under.reduce<Error>(
    (cause) => new ActivityFailure('it failed', 'runPage', '7', RetryState.TIMEOUT, 'worker@host', cause),
    failure,
  );
}

const toClient = (cause?: Error): Error =>
  new WorkflowFailedError('Workflow execution failed', cause, RetryState.NON_RETRYABLE_FAILURE);
const toParent = (cause: Error): Error =>
  new ChildWorkflowFailure(
    undefined,
    { workflowId: 'w', runId: 'r' },
    'republish',
    RetryState.TIMEOUT,
    cause,
  );
const application = (type: string, message: string, ...details: unknown[]): Error =>
  ApplicationFailure.nonRetryable(message, type, ...details);

describe('the failure of a run', () => {
  it.each(vectors as Vector[])('is the same to a client and to a parent: %j', (vector) => {
    const { type, message, foreign } = vector;
    for (const thrown of [toClient(sdkFailure(vector)), toParent(sdkFailure(vector))])
      expect(failureOfRun(thrown)).toMatchObject({
        type,
        message: message ?? meaningOf('Unexpected'),
        ...(foreign === undefined ? {} : { foreign }),
      });
    expect(asRepublishFailed({} as Client, toClient(sdkFailure(vector)))).toMatchObject({
      name: 'RepublishFailed',
      type,
      message: message ?? foreign,
    });
    expect(endOfFailedRun(toParent(sdkFailure(vector)))).toEqual({
      outcome: outcomeOfFailure(type as FailureType),
      failure: { type, message: message ?? meaningOf('Unexpected') },
    });
  });

  it('has the values that the workflow added for programs', () => {
    const more = { reason: '1 failed', published: { a: ['id'] }, failures: [], failed: 3 };
    const failure = toClient(application('RepublishIncomplete', '1 failed. Correct it.', more));
    expect(asRepublishFailed({} as Client, failure)).toMatchObject({
      published: { a: ['id'] },
      failed: 3,
      message: '1 failed',
    });
  });

  it('is Unexpected where the SDK gives no cause', () => {
    expect(asRepublishFailed({} as Client, toClient())).toMatchObject({
      type: 'Unexpected',
      message: 'Workflow execution failed',
    });
  });
});

describe('outcomeOfFleet', () => {
  const counts = { complete: 1, incomplete: 0, failed: 0, cancelled: 0, notBegun: 0 };
  const failure = { type: 'DatabaseUnavailable', message: 'away' } as const;

  it('is complete only when every operator is', () => {
    expect(outcomeOfFleet(counts, { cancelled: false })).toBe('complete');
    for (const other of ['incomplete', 'failed', 'cancelled', 'notBegun'])
      expect(outcomeOfFleet({ ...counts, [other]: 1 }, { cancelled: false })).toBe('incomplete');
  });

  it('names first what ended the fleet', () => {
    expect(outcomeOfFleet(counts, { failure, cancelled: true })).toBe('failed');
    expect(outcomeOfFleet({ ...counts, notBegun: 1 }, { cancelled: true })).toBe('cancelled');
  });
});

describe('endOfFailedRun', () => {
  it('says of a run that is not complete that it is incomplete', () => {
    expect(endOfFailedRun(toParent(application('RepublishIncomplete', '2 failed')))).toMatchObject({
      outcome: 'incomplete',
      failure: { message: '2 failed' },
    });
    expect(endOfFailedRun(toParent(new CancelledFailure('Workflow canceled'))).outcome).toBe('cancelled');
  });

  it.each<[string, unknown]>([
    ['an error of another kind', new TypeError('postgres://user:secret@host')],
    ['a type that is in no catalogue', application('secret', 'secret', { reason: 'secret' })],
    ['a text', 'secret'],
    ['nothing', undefined],
  ])('quotes nothing of %s', (_, thrown) => {
    expect(endOfFailedRun(thrown)).toEqual({
      outcome: 'failed',
      failure: { type: 'Unexpected', message: meaningOf('Unexpected') },
    });
  });

  it('keeps a message short, and such that Postgres can store it', () => {
    const types = Object.keys(FAILURES);
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 2_000 }),
        fc.constantFrom(...types),
        (message, type) => {
          for (const failure of [application(type, message), new TerminatedFailure(message)]) {
            const told = endOfFailedRun(toParent(failure)).failure?.message ?? '';
            expect(told.length).toBeLessThanOrEqual(300);
            expect(told).not.toContain('\0');
            expect(Buffer.from(told).toString()).toBe(told);
          }
        },
      ),
    );
  });
});
