import { RepublishError, type FailureType } from '../../contract/failures';
import { bitspireCassettes } from '../../documents/bitspire-cassettes';
import { bitspireFees } from '../../documents/bitspire-fees';
import { defineDocumentType, dTag, type DocumentType, type StateRow } from '../../documents/document-type';
import { documentTypes } from '../../documents/registry';
import { serialiseState } from '../../documents/state';

const MAX_BYTES = 28_672;

const FEES = {
  cash_in_percent: 5.5,
  cash_out_percent: 7,
  fixed_fee: 1,
  minimum_amount: 10,
  maximum_amount: 3000,
};
const CASSETTE = { position: 0, denomination: 20, count: 250, currency: 'EUR' };

const serialise = (type: DocumentType, rows: StateRow[], maxBytes = MAX_BYTES): string | undefined =>
  serialiseState(type, rows, maxBytes);

function failure(type: DocumentType, rows: StateRow[], maxBytes = MAX_BYTES): [FailureType, string] {
  try {
    serialise(type, rows, maxBytes);
  } catch (error) {
    if (error instanceof RepublishError) return [error.type, error.message];
    throw error;
  }
  throw new Error('the state was accepted');
}

describe('bitspire-fees', () => {
  it('is the row of the machine, without the id by which it was found', () => {
    expect(serialise(bitspireFees, [{ machine_id: 'm1', ...FEES }])).toBe(JSON.stringify(FEES));
  });

  it('keeps the keys it does not know', () => {
    const state = { ...FEES, promotion: { until: '2027-01-01', percent: [1, null] } };
    expect(JSON.parse(serialise(bitspireFees, [state]) ?? '')).toEqual(state);
  });

  it.each([
    ['cash_in_percent', -1],
    ['cash_in_percent', 100.5],
    ['cash_out_percent', '7'],
    ['fixed_fee', -0.01],
    ['fixed_fee', null],
    ['maximum_amount', undefined],
    ['minimum_amount', 3001],
  ])('refuses %s = %p and names the key', (key, value) => {
    expect(failure(bitspireFees, [{ ...FEES, [key]: value }])).toEqual([
      'StateInvalid',
      expect.stringMatching(new RegExp(`^${key}: `)),
    ]);
  });

  it('accepts the bounds themselves', () => {
    const state = { ...FEES, cash_in_percent: 0, cash_out_percent: 100, minimum_amount: 3000 };
    expect(serialise(bitspireFees, [state])).toBe(JSON.stringify(state));
  });
});

describe('bitspire-cassettes', () => {
  it('is the list of the rows in the order of their positions', () => {
    const rows = [10, 2, 0].map((position) => ({ machine_id: 'm1', ...CASSETTE, position }));
    const state = JSON.parse(serialise(bitspireCassettes, rows) ?? '') as { cassettes: StateRow[] };
    expect(state.cassettes.map(({ position }) => position)).toEqual([0, 2, 10]);
    expect(state.cassettes[0]).toEqual(CASSETTE);
  });

  it('keeps the keys it does not know, in the document and in a cassette', () => {
    const state = { cassettes: [{ ...CASSETTE, colour: 'red' }], layout: 'v2' };
    expect(JSON.parse(serialise(bitspireCassettes, [{ state }]) ?? '')).toEqual(state);
  });

  it.each([
    ['position', -1],
    ['position', 1.5],
    ['denomination', 0],
    ['denomination', '20'],
    ['count', -1],
    ['count', 0.5],
    ['currency', ''],
    ['currency', 'x'.repeat(11)],
    ['currency', null],
  ])('refuses %s = %p and names the cassette', (key, value) => {
    expect(failure(bitspireCassettes, [CASSETTE, { ...CASSETTE, position: 1, [key]: value }])).toEqual([
      'StateInvalid',
      // A position that is wrong may also change the order.
      expect.stringMatching(new RegExp(`^cassettes\\.[01]\\.${key}: `)),
    ]);
  });

  it('refuses a machine without a cassette, and two cassettes at one position', () => {
    expect(failure(bitspireCassettes, [{ state: { cassettes: [] } }])).toEqual([
      'StateInvalid',
      expect.stringMatching(/^cassettes: /),
    ]);
    expect(failure(bitspireCassettes, [CASSETTE, CASSETTE])).toEqual([
      'StateInvalid',
      'cassettes: two cassettes have the same position',
    ]);
  });
});

describe('serialiseState', () => {
  it.each([
    ['json', FEES],
    ['text', JSON.stringify(FEES)],
    ['pretty-printed text', JSON.stringify(FEES, undefined, 2)],
  ])('takes a column named state as %s', (_, state) => {
    expect(serialise(bitspireFees, [{ state }])).toBe(JSON.stringify(FEES));
  });

  it.each([[[]], [[{ state: null }]], [[{ state: 'null' }]]])(
    'finds no state in %j, which is not a failure',
    (rows: StateRow[]) => {
      expect(serialise(bitspireFees, rows)).toBeUndefined();
    },
  );

  it('refuses text that is no JSON, without quoting it', () => {
    expect(failure(bitspireFees, [{ state: '{"pin": canary' }])).toEqual([
      'StateInvalid',
      'the state is not valid JSON',
    ]);
  });

  it.each([['"canary"'], ['[1]'], ['7'], ['true']])('refuses %s, which is JSON but no object', (state) => {
    expect(failure(bitspireFees, [{ state }])).toEqual(['StateInvalid', expect.stringMatching(/^state: /)]);
  });

  it('refuses two states for one machine', () => {
    expect(failure(bitspireFees, [{ state: FEES }, { state: FEES }])).toEqual([
      'StateInvalid',
      'the query gives more than one state for the machine',
    ]);
  });

  it('takes a column named state beside others for an ordinary column', () => {
    expect(failure(bitspireFees, [{ colour: 'red', state: FEES }])[0]).toBe('StateInvalid');
    // The id by which the row was found is none that counts.
    expect(serialise(bitspireFees, [{ machine_id: 'm1', state: FEES }])).toBe(JSON.stringify(FEES));
  });

  it('refuses a number that would come out of JSON as another one', () => {
    const state = (number: string): StateRow[] => [
      { state: JSON.stringify({ ...FEES, serial: 0 }).replace('"serial":0', `"serial":${number}`) },
    ];
    for (const number of ['12345678901234567890', '9007199254740992', '-9007199254740992', '1e400']) {
      expect(failure(bitspireFees, state(number))).toEqual([
        'StateInvalid',
        expect.not.stringContaining(number) as string,
      ]);
    }
    expect(serialise(bitspireFees, state('9007199254740991'))).toContain('"serial":9007199254740991');
  });

  it('refuses a nesting that no machine would follow, before it runs the stack full', () => {
    const nested = (depth: number): StateRow[] => [
      {
        state: JSON.stringify({ ...FEES, deep: 0 }).replace(
          '"deep":0',
          `"deep":${'['.repeat(depth)}${']'.repeat(depth)}`,
        ),
      },
    ];
    expect(failure(bitspireFees, nested(100_000))).toEqual([
      'StateInvalid',
      expect.stringContaining('nested'),
    ]);
    expect(serialise(bitspireFees, nested(10))).toContain('[[[[[[[[[[]]]]]]]]]]');
  });

  it('counts the bytes of the plaintext, and accepts exactly the ceiling', () => {
    const state = { ...FEES, note: 'ü'.repeat(100) };
    const bytes = Buffer.byteLength(JSON.stringify(state));
    expect(bytes).toBe(JSON.stringify(state).length + 100);
    expect(serialise(bitspireFees, [state], bytes)).toBe(JSON.stringify(state));
    expect(failure(bitspireFees, [state], bytes - 1)).toEqual([
      'StateTooLarge',
      `the state has ${bytes} bytes, the ceiling is ${bytes - 1}`,
    ]);
  });

  it('names paths and rules but never values, and not endlessly many', () => {
    const cassettes = Array.from({ length: 50 }, (_, position) => ({
      position,
      denomination: 'canary-denomination',
      count: -987_654,
      currency: 'canary-currency-name',
      'canary-key': 'canary-value',
    }));
    const [, message] = failure(bitspireCassettes, [{ state: { cassettes } }]);
    expect(message.split('; ')).toHaveLength(5);
    expect(message).toContain('cassettes.0.denomination');
    expect(message).not.toMatch(/canary|987/);
  });
});

describe('the registry', () => {
  it('has each type once, and a table for each', () => {
    const types = documentTypes.map(({ type }) => type);
    expect(types).toEqual(['bitspire-cassettes', 'bitspire-fees']);
    expect(documentTypes.map(({ source }) => source.table)).toEqual(['bitspire_cassettes', 'bitspire_fees']);
  });

  it.each(['', 'Fees', 'bitspire_fees', 'fees-', '-fees', 'a--b', 'a:b', 'a b'])(
    'refuses a type named "%s" where it is defined',
    (type) => {
      expect(() => defineDocumentType({ ...bitspireFees, type })).toThrow(TypeError);
    },
  );

  it('makes the d tag under which a machine looks', () => {
    expect(dTag('bitspire-fees', 'ab'.repeat(32))).toBe(`bitspire-fees:${'ab'.repeat(32)}`);
  });
});
