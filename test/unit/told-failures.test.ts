import fc from 'fast-check';
import { type DocumentFailure, type FailureType, scopeOf } from '../../contract/failures';
import { notAttemptedLine, tellFailures } from '../../rules/told-failures';

const TYPES = ['bitspire-cassettes', 'bitspire-fees'];

function failureOf(
  type: FailureType,
  machineId: string,
  { message = 'why', documentType = 'bitspire-fees' } = {},
): DocumentFailure {
  return { type, message, documentType, machineId };
}

describe('tellFailures', () => {
  it('tells documents that failed for one reason together, by machine and then by type', () => {
    const { reasons } = tellFailures(
      {
        failures: [
          failureOf('StateInvalid', 'm2'),
          failureOf('StateInvalid', 'm1', { documentType: 'bitspire-fees' }),
          failureOf('StateInvalid', 'm1', { documentType: 'bitspire-cassettes' }),
        ],
        failed: 3,
      },
      { documentTypes: TYPES },
    );
    expect(reasons).toHaveLength(1);
    expect(reasons[0]?.documents.map(({ machineId, documentType }) => [machineId, documentType])).toEqual([
      ['m1', 'bitspire-cassettes'],
      ['m1', 'bitspire-fees'],
      ['m2', 'bitspire-fees'],
    ]);
  });

  it('begins with what ended the run, then with what documents share, and ends with what is their own', () => {
    const failures = [
      failureOf('StateInvalid', 'm1', { message: 'a row of m1' }),
      failureOf('RelayRefused', 'm2'),
      failureOf('SignerRefused', 'm3'),
    ];
    const cause = { type: 'SignerRefused', message: 'denied' } as const;
    const { reasons } = tellFailures({ failures, failed: 3 }, { cause });
    expect(reasons.map(({ type }) => type)).toEqual(['SignerRefused', 'RelayRefused', 'StateInvalid']);
  });

  it('counts documents that nobody began, and failed ones that are not known by name', () => {
    const failures = [failureOf('NotAttempted', 'm1'), failureOf('StateInvalid', 'm2')];
    expect(tellFailures({ failures, failed: 7 })).toMatchObject({ notAttempted: 1, unnamed: 5 });
    expect(notAttemptedLine(1)).toBe('1 document was not attempted');
    expect(notAttemptedLine(2)).toBe('2 documents were not attempted');
  });

  it('tells each document once, whatever failed', () => {
    const types = fc.constantFrom<FailureType>(
      'StateInvalid',
      'SignerRefused',
      'NotAttempted',
      'RelayRefused',
    );
    const failures = fc.array(
      fc.record({
        type: types,
        message: fc.constantFrom('a', 'b'),
        machineId: fc.string(),
        documentType: fc.constantFrom(...TYPES),
      }),
    );
    fc.assert(
      fc.property(failures, fc.nat(50), (each, failed) => {
        const told = tellFailures({ failures: each, failed });
        const documents = told.reasons.flatMap((reason) => reason.documents);
        expect(documents.length + told.notAttempted).toBe(each.length);
        expect(new Set(documents).size).toBe(documents.length);
        expect(told.unnamed).toBeGreaterThanOrEqual(0);
        // What one document alone has comes behind whatever more than one can have.
        const isOwn = told.reasons.map(
          ({ type, documents: { length } }) => scopeOf(type) === 'document' && length === 1,
        );
        expect(isOwn).toEqual(isOwn.toSorted((one, other) => Number(one) - Number(other)));
      }),
    );
  });
});
