import fc from 'fast-check';
import { meaningOf } from '../../contract/failures';
import { endOfFailedRun } from '../../rules/run-end';

/** An error as the SDK makes it, which this rule knows by its name alone. */
function sdkError(name: string, fields: Record<string, unknown> = {}): Error {
  return Object.assign(new Error('of the SDK'), { name, ...fields });
}

const wrapped = (cause: unknown, ...names: string[]): unknown =>
  names.reduceRight((inner, name) => sdkError(name, { cause: inner }), cause);

describe('endOfFailedRun', () => {
  it.each([
    [['ChildWorkflowFailure']],
    [['WorkflowFailedError']],
    [['WorkflowFailedError', 'ActivityFailure']],
  ])('finds the failure under %j', (names) => {
    const failure = sdkError('ApplicationFailure', { type: 'OperatorNotFound', message: 'nobody' });
    expect(endOfFailedRun(wrapped(failure, ...names)).failure).toEqual({
      type: 'OperatorNotFound',
      message: 'nobody',
    });
  });

  it('says what a run that was cancelled or terminated came to', () => {
    expect(endOfFailedRun(wrapped(sdkError('CancelledFailure'), 'WorkflowFailedError'))).toMatchObject({
      outcome: 'cancelled',
      failure: { type: 'Cancelled', message: 'of the SDK' },
    });
    expect(endOfFailedRun(sdkError('CancelledFailure', { message: '' })).failure?.message).toBe(
      'the run was cancelled',
    );
    expect(endOfFailedRun(sdkError('TerminatedFailure')).failure?.type).toBe('Terminated');
  });

  it('says of a run that is not complete that it is incomplete', () => {
    const failure = sdkError('ApplicationFailure', { type: 'RepublishIncomplete', message: '2 failed' });
    expect(endOfFailedRun(failure)).toMatchObject({
      outcome: 'incomplete',
      failure: { message: '2 failed' },
    });
  });

  it('prefers the reason of its own to the message that names the document', () => {
    const details = [{ reason: 'the key is unknown' }];
    const failure = sdkError('ApplicationFailure', { type: 'OperatorNotFound', message: 'long', details });
    expect(endOfFailedRun(failure).failure?.message).toBe('the key is unknown');
  });

  it.each<[string, unknown]>([
    ['an error of another kind', new TypeError('postgres://user:secret@host')],
    ['a type that is in no catalogue', sdkError('ApplicationFailure', { type: 'secret', message: 'secret' })],
    ['a text', 'secret'],
    ['nothing', undefined],
  ])('quotes nothing of %s', (_, thrown) => {
    expect(endOfFailedRun(thrown)).toEqual({
      outcome: 'failed',
      failure: { type: 'Unexpected', message: meaningOf('Unexpected') },
    });
  });

  it('keeps a message short, and such that Postgres can store it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (message) => {
        const failure = sdkError('ApplicationFailure', { type: 'OperatorNotFound', message });
        const told = endOfFailedRun(failure).failure?.message ?? '';
        expect(told.length).toBeLessThanOrEqual(300);
        expect(told).not.toContain('\0');
        expect(Buffer.from(told).toString()).toBe(told);
      }),
    );
  });
});
