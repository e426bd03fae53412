import { readFileSync } from 'node:fs';
import path from 'node:path';
import { RepublishError, type FailureType } from '../../contract/failures';
import { bitspireCassettes } from '../../documents/bitspire-cassettes';
import { bitspireFees } from '../../documents/bitspire-fees';
import { dTag, tagsOf, type DocumentType } from '../../documents/document-type';
import { defineDocumentType, documentTypes, z } from '../../documents';
import { serialiseState, type SerialisedState } from '../../documents/state';
import feeVectors from '../vectors/bitspire-fees.json';

const MAX_BYTES = 28_672;

const FEES = { schema_version: 1, cash_in_fee_fraction: 0.0633, cash_out_fee_fraction: 0.1077 };
const SLOT = { denomination: 20, count: 100 };

/** Rows of the state query: JSON texts as they are, anything else as JSON.stringify writes it. */
function serialise(type: DocumentType, rows: unknown[], maxBytes = MAX_BYTES): SerialisedState | undefined {
  const texts = rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row)));
  return serialiseState(type, texts, maxBytes);
}

const plaintext = (type: DocumentType, rows: unknown[], maxBytes?: number): string | undefined =>
  serialise(type, rows, maxBytes)?.plaintext;

function failure(type: DocumentType, rows: unknown[], maxBytes?: number): [FailureType, string] {
  try {
    serialise(type, rows, maxBytes);
  } catch (error) {
    if (error instanceof RepublishError) return [error.type, error.message];
    throw error;
  }
  throw new Error('the state was accepted');
}

const invalid = (message: RegExp): [FailureType, unknown] => ['StateInvalid', expect.stringMatching(message)];

/** A type that takes any state, assembled as the test says. */
const anyType = (rest: Partial<DocumentType> = {}): DocumentType =>
  defineDocumentType({
    type: 'anything',
    source: { table: 'anything' },
    schema: z.unknown(),
    assemble: (rows) => rows[0],
    ...rest,
  });

describe('bitspire-fees', () => {
  const row = ([superIn, superOut]: string[], [operatorIn, operatorOut]: string[]): string =>
    `{"machine_id":"m1","super_cash_in_fee_fraction":${superIn},"super_cash_out_fee_fraction":${superOut},` +
    `"operator_cash_in_fee_fraction":${operatorIn},"operator_cash_out_fee_fraction":${operatorOut}}`;

  it.each(feeVectors.published)('publishes $name', (vector) => {
    expect(plaintext(bitspireFees, [row(vector.super, vector.operator)])).toBe(vector.plaintext);
  });

  it.each(feeVectors.refused)('refuses $super with $operator: $message', (vector) => {
    const [type, message] = failure(bitspireFees, [row(vector.super, vector.operator)]);
    expect(type).toBe(vector.type);
    expect(message).toMatch(new RegExp(vector.message));
    expect(message).not.toContain('canary');
  });

  it('refuses two rows, which two rows of super_config make', () => {
    const fees = row(['0', '0'], ['0', '0']);
    expect(failure(bitspireFees, [fees, fees])).toEqual(invalid(/super_config must have exactly one row$/));
  });

  it('does not take a query without the columns for a missing super_config', () => {
    expect(
      failure(bitspireFees, [{ operator_cash_in_fee_fraction: 0, operator_cash_out_fee_fraction: 0 }]),
    ).toEqual(invalid(/^super_config\.super_cash_in_fee_fraction: /));
  });

  it('publishes a state that a query gives whole as the database spells it', () => {
    const state =
      '{"cash_out_fee_fraction": 0.10, "cash_in_fee_fraction": 15e-2,\n "schema_version": 2, "promotion": "\\u00fc"}';
    expect(plaintext(bitspireFees, [`{"machine_id":"m1","state":${state}}`])).toBe(
      '{"cash_out_fee_fraction":0.10,"cash_in_fee_fraction":15e-2,"schema_version":2,"promotion":"\\u00fc"}',
    );
  });

  it.each([
    ['schema_version', 0],
    ['schema_version', 1.5],
    ['schema_version', undefined],
    ['cash_in_fee_fraction', undefined],
    ['cash_in_fee_fraction', 0.15000000000000002],
    ['cash_in_fee_fraction', -0.01],
    ['cash_out_fee_fraction', '0.05'],
    ['cash_out_fee_fraction', null],
  ])('refuses a whole state with %s = %p by path', (key, value) => {
    expect(failure(bitspireFees, [{ state: { ...FEES, [key]: value } }])).toEqual(
      invalid(new RegExp(`^state\\.${key}: `)),
    );
  });

  it('wants each total to be the sum of its components, where a state has them', () => {
    const components = {
      super_cash_in: 0.03,
      super_cash_out: 0.03,
      operator_cash_in: 0.0333,
      operator_cash_out: 0.0777,
    };
    const withComponents = (change: object): unknown[] => [
      { state: { ...FEES, components: { ...components, ...change } } },
    ];
    expect(plaintext(bitspireFees, withComponents({ operator_cash_in: 0.0333009 }))).toContain('0.0333009');
    expect(failure(bitspireFees, withComponents({ operator_cash_in: 0.033301 }))).toEqual([
      'StateInvalid',
      'state.cash_in_fee_fraction: is not the sum of its components',
    ]);
    expect(failure(bitspireFees, withComponents({ super_cash_out: undefined }))).toEqual(
      invalid(/^state\.components\.super_cash_out: /),
    );
  });
});

describe('bitspire-cassettes', () => {
  const cassette = (position: unknown, rest: object = {}): object => ({
    machine_id: 'm1',
    position,
    ...SLOT,
    state_denomination: 10,
    state_count: 777,
    updated_at: '2026-05-30T10:00:00',
    state_at: null,
    ...rest,
  });

  it('is the rows by position in ascending order, with what was last edited and not what the machine once had', () => {
    expect(
      plaintext(bitspireCassettes, [
        cassette(10),
        cassette(2, { count: 0 }),
        cassette(1, { denomination: 50 }),
      ]),
    ).toBe(
      '{"positions":{"1":{"denomination":50,"count":100},"2":{"denomination":20,"count":0},"10":{"denomination":20,"count":100}}}',
    );
    expect(plaintext(bitspireCassettes, [cassette(0)])).toContain('{"0":');
  });

  it('refuses two cassettes at one position', () => {
    expect(failure(bitspireCassettes, [cassette(3), cassette(3)])).toEqual(
      invalid(/^cassette_configs\.position: .* same position$/),
    );
  });

  it.each([-1, 1.5, '1', null, 2 ** 53])('refuses the position %p', (position) => {
    expect(failure(bitspireCassettes, [cassette(position)])).toEqual(
      invalid(/^cassette_configs\.position: must be a whole number/),
    );
  });

  it.each([
    ['denomination', 0],
    ['denomination', '20'],
    ['denomination', 2.5],
    ['count', -1],
    ['count', 0.5],
    ['count', null],
  ])('refuses %s = %p by table and column, and in a whole state by path', (key, value) => {
    expect(failure(bitspireCassettes, [cassette(1), cassette(4, { [key]: value })])).toEqual(
      invalid(new RegExp(`^cassette_configs\\.${key} at position 4: must be a whole number, [01] or more$`)),
    );
    const state = { positions: { 4: { ...SLOT, [key]: value } } };
    expect(failure(bitspireCassettes, [{ state }])).toEqual(
      invalid(new RegExp(`^state\\.positions\\["4"\\]\\.${key}: `)),
    );
  });

  it('names at most five columns, and how many more there are', () => {
    const rows = [1, 2, 3, 4].map((position) => cassette(position, { denomination: 0, count: -1 }));
    const [, message] = failure(bitspireCassettes, rows);
    expect(message.match(/cassette_configs\./g)).toHaveLength(5);
    expect(message).toMatch(/; and 3 more$/);
  });

  it('publishes a state that a query gives whole, keys it does not know kept', () => {
    const state =
      '{"layout":"v2","positions":{"2":{"count":1,"denomination":20,"colour":"red"},"1":{"denomination":5,"count":2}}}';
    expect(plaintext(bitspireCassettes, [`{"state":${state}}`])).toBe(state);
  });

  it.each([
    ['no cassette', '{"positions":{}}'],
    ['the obsolete format v1', '{"denominations":{"20":{"position":1,"count":2}}}'],
    ['a list', '{"positions":[{"denomination":20,"count":1}]}'],
    ['a name as a position', '{"positions":{"top":{"denomination":20,"count":1}}}'],
    ['a position in another spelling', '{"positions":{"01":{"denomination":20,"count":1}}}'],
    ['__proto__ as a position', '{"positions":{"1":{"denomination":20,"count":1},"__proto__":{"count":-1}}}'],
  ])('refuses %s', (_, state) => {
    expect(failure(bitspireCassettes, [`{"state":${state}}`])).toEqual(invalid(/^state\.positions: /));
  });

  it('says what publishing sets, by the newest times, and never names the count of the first boot', () => {
    const rows = [
      cassette(1, { updated_at: '2026-05-30T10:00:00', state_at: '2026-05-01T08:00:00+02:00' }),
      cassette(2, { updated_at: '2026-05-31 09:30:00.25+00', state_at: null }),
    ];
    expect(serialise(bitspireCassettes, rows)?.resets).toEqual({
      everyMachine:
        "Publishing sets the machine's counts to those that LNbits has: correct them there first, best right after a refill.",
      thisMachine: 'Last edited 2026-05-31 09:30:00 UTC; the machine last reported 2026-05-01 06:00:00 UTC.',
    });
  });

  it.each([
    // Unix seconds, as SQLite has them.
    [
      { updated_at: 1780135200, state_at: '1780048800' },
      /edited 2026-05-30 10:00:00 UTC; .* reported 2026-05-29 10:00:00 UTC/,
    ],
    [{ updated_at: null, state_at: null }, /edited at an unknown time; the machine has never reported/],
    [
      { updated_at: undefined, state_at: undefined },
      /edited at an unknown time; the machine last reported at an unknown time/,
    ],
    [
      { updated_at: 'yesterday', state_at: 1e300 },
      /edited at an unknown time; the machine last reported at an unknown time/,
    ],
  ])('reads the times of %j', (times, sentence) => {
    expect(serialise(bitspireCassettes, [cassette(1, times)])?.resets?.thisMachine).toMatch(sentence);
  });

  it('says so too of a state that a query gives whole', () => {
    expect(
      serialise(bitspireCassettes, [{ state: { positions: { 1: SLOT } } }])?.resets?.thisMachine,
    ).toMatch(/at an unknown time/);
  });
});

describe('serialiseState', () => {
  it('takes what a document sets as a text, or as a sentence of all machines and one of this machine', () => {
    const resets = (told: unknown) =>
      serialise({ ...bitspireCassettes, resetsMachineState: () => told as string }, [
        { state: { positions: { 1: SLOT } } },
      ])?.resets;
    expect(resets('It sets the counts.')).toEqual({ everyMachine: 'It sets the counts.' });
    expect(resets({ everyMachine: 'It sets the counts.' })).toEqual({ everyMachine: 'It sets the counts.' });
    const both = { everyMachine: 'No. 1 is set. Look there first.', thisMachine: '7' };
    expect(resets({ ...both, thisMachine: 7 })).toEqual(both);
    expect(() => resets(undefined)).toThrow(/resetsMachineState of the document type threw TypeError/);
  });

  it.each([
    ['json', JSON.stringify(FEES)],
    ['text', JSON.stringify(JSON.stringify(FEES))],
    ['pretty-printed text', JSON.stringify(JSON.stringify(FEES, undefined, 2))],
  ])('takes a column named state as %s', (_, state) => {
    expect(serialise(bitspireFees, [`{"machine_id":"m1","state":${state}}`])).toEqual({
      plaintext: JSON.stringify(FEES),
    });
  });

  it.each([[[]], [[{ state: null }]], [[{ state: 'null' }]], [[{ machine_id: 'm1', state: null }]]])(
    'finds no state in %j, which is not a failure',
    (rows: unknown[]) => {
      expect(serialise(bitspireFees, rows)).toBeUndefined();
    },
  );

  it('finds no state where a type assembles null; undefined is taken for a forgotten return', () => {
    expect(serialise(anyType({ assemble: () => null }), [{ a: 1 }])).toBeUndefined();
    expect(failure(anyType({ assemble: () => undefined }), [{ a: 1 }])).toEqual(
      invalid(/^assemble of the document type gave undefined: is a "return" missing/),
    );
  });

  it('runs no code of a type while it looks at what the type gave', () => {
    const throwing = (): never => {
      throw new RepublishError('StateInvalid', 'canary');
    };
    for (const state of [
      Object.defineProperty({}, 'a', { get: throwing, enumerable: true }),
      { inner: [Object.defineProperty({}, 'toJSON', { get: throwing })] },
      new Proxy({ a: 1 }, { ownKeys: throwing, getPrototypeOf: throwing, get: throwing }),
    ])
      expect(failure(anyType({ assemble: () => state }), [{ a: 1 }])).toEqual(
        invalid(/has a member that is computed when it is read$/),
      );
  });

  it('keeps keys in their order, digits and escapes, also those that JavaScript would change', () => {
    const state =
      '{"b":1.50,"2":-0,"1":1E5,"__proto__":{"a":"\\/\\u0041\\ud800"},"constructor":9007199254740994}';
    expect(plaintext(anyType(), [`{"state":${state}}`])).toBe(state);
    expect(plaintext(anyType(), [JSON.stringify({ state: ` ${state}\n` })])).toBe(state);
  });

  it('refuses text that is no JSON, without quoting it', () => {
    for (const state of ['{"pin": canary', '', '{"pin":"canary",}', '// canary\n1', "'canary'", '\ufeff{}']) {
      expect(failure(bitspireFees, [{ state }])).toEqual(['StateInvalid', 'state: is not valid JSON']);
    }
    expect(failure(bitspireFees, ['{"pin": canary']).at(1)).toBe('row: is not valid JSON');
    expect(failure(bitspireFees, ['[1]'])).toEqual(invalid(/no JSON object$/));
  });

  it.each(['"canary"', '[1]', '7', 'true'])('refuses %s, which is JSON but no object', (state) => {
    expect(failure(bitspireFees, [{ state }])).toEqual(invalid(/^state: (?!.*canary)/));
  });

  it('refuses two states for one machine', () => {
    expect(failure(bitspireFees, [{ state: FEES }, { state: FEES }])).toEqual([
      'StateInvalid',
      'the query gives more than one state for the machine',
    ]);
  });

  it('takes a column named state beside others for an ordinary column', () => {
    expect(plaintext(anyType(), [{ machine_id: 'm1', colour: 'red', state: 1 }])).toBe(
      '{"colour":"red","state":1}',
    );
  });

  it('names the column or the member whose number would change', () => {
    expect(failure(anyType(), ['{"state":{"fees":[1,2,{"max":1e400}]}}'])).toEqual(
      invalid(/^state\.fees\[2\]\.max: /),
    );
    expect(failure(anyType(), ['{"a":1,"limit":9007199254740993}'])).toEqual(invalid(/^limit: /));
    expect(failure(anyType(), ['{"a":1}', '{"a":0.1000000000000000055}'])).toEqual(
      invalid(/^rows\[1\]\.a: /),
    );
  });

  it('refuses what JSON would change in an assembled state, by path', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const deep = Array.from({ length: 60 }).reduce<unknown>((inner) => [inner], 1);
    const shared = Array.from({ length: 45 }).reduce<unknown>((inner) => ({ a: inner, b: inner }), 1);
    for (const [value, problem] of [
      [NaN, /^state\.list\[1\]\.x: is not a finite number$/],
      [-Infinity, /^state\.list\[1\]\.x: is not a finite number$/],
      [1n, /^state\.list\[1\]\.x: JSON has nothing for a bigint$/],
      [() => 1, /^state\.list\[1\]\.x: JSON has nothing for a function$/],
      [Symbol('a'), /^state\.list\[1\]\.x: JSON has nothing for a symbol$/],
      [[undefined], /^state\.list\[1\]\.x\[0\]: JSON has nothing for undefined$/],
      [new Date(0), /^state\.list\[1\]\.x: is neither a plain object nor an array$/],
      [new Map(), /^state\.list\[1\]\.x: is neither/],
      [{ toJSON: () => 1 }, /^state\.list\[1\]\.x: is neither/],
      [cyclic, /^state\.list\[1\]\.x\.self: contains itself$/],
      [deep, /: is nested more than 50 deep$/],
    ] as const) {
      expect(failure(anyType({ assemble: () => ({ list: [0, { x: value }] }) }), [{ a: 1 }])).toEqual(
        invalid(problem),
      );
    }
    expect(failure(anyType({ assemble: () => shared }), [{ a: 1 }])[0]).toBe('StateTooLarge');
    expect(plaintext(anyType({ assemble: () => ({ a: undefined, b: [null] }) }), [{ a: 1 }])).toBe(
      '{"b":[null]}',
    );
  });

  it('lets the schema judge what the machine will read', () => {
    const schema = z.strictObject({ a: z.number() });
    expect(plaintext(anyType({ schema, assemble: () => ({ a: 1, b: undefined }) }), [{ a: 1 }])).toBe(
      '{"a":1}',
    );
  });

  it('refuses a nesting that no machine would follow, before it runs the stack full', () => {
    const nested = (depth: number): string => `{"state":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(failure(anyType(), [nested(100_000)])).toEqual(invalid(/nested more than 50 deep$/));
    expect(failure(anyType(), [nested(51)])).toEqual(invalid(/nested more than 50 deep$/));
    expect(plaintext(anyType(), [nested(50)])).toHaveLength(100);
  });

  it('counts the bytes of the plaintext, and accepts exactly the ceiling', () => {
    const state = { ...FEES, note: 'ü'.repeat(100) };
    const bytes = Buffer.byteLength(JSON.stringify(state));
    expect(bytes).toBe(JSON.stringify(state).length + 100);
    expect(plaintext(bitspireFees, [{ state }], bytes)).toBe(JSON.stringify(state));
    expect(failure(bitspireFees, [{ state }], bytes - 1)).toEqual([
      'StateTooLarge',
      `the state has ${bytes} bytes, the ceiling is ${bytes - 1}`,
    ]);
  });

  it('shows the message of a RepublishError, also of another copy of the package, and of no other error', () => {
    const throwing = (error: unknown): DocumentType =>
      anyType({
        assemble: () => {
          throw error;
        },
      });
    const foreign = Object.assign(new Error('no row'), {
      name: 'RepublishError',
      type: 'SuperConfigMissing',
    });
    const impostor = Object.assign(new Error('canary'), { name: 'RepublishError', type: 'toString' });
    expect(failure(throwing(new RepublishError('StateInvalid', 'hours: closed')), [{ a: 1 }])).toEqual([
      'StateInvalid',
      'hours: closed',
    ]);
    expect(failure(throwing(foreign), [{ a: 1 }])).toEqual(['SuperConfigMissing', 'no row']);
    for (const error of [new Error('canary'), 'canary', undefined]) {
      expect(failure(throwing(error), [{ a: 1 }])).toEqual(
        invalid(/^assemble of the document type threw \w+ on this state(?!.*canary)/),
      );
    }
    expect(failure(throwing(new TypeError('canary')), [{ a: 1 }])[1]).toContain('threw TypeError');
    // A failure type that is none, or none of a state, would bring the remedy for something else.
    for (const error of [impostor, new RepublishError('SourceUnavailable', 'canary')]) {
      expect(failure(throwing(error), [{ a: 1 }])).toEqual(
        invalid(/threw a RepublishError of a type that is none of a state(?!.*canary)/),
      );
    }
    // A message that quotes a value is as one without a name.
    for (const [row, message] of [
      [{ pin: 'canary' }, 'pin: canary is not allowed'],
      [{ pin: 4711 }, 'pin: must not be 4711'],
    ] as const) {
      const error = new RepublishError('StateInvalid', message);
      expect(failure(throwing(error), [row])).toEqual(
        invalid(/refused this state; its message is not shown(?!.*(canary|4711))/),
      );
    }
    const schema = z.unknown().refine(() => {
      throw new Error('canary');
    });
    expect(failure(anyType({ schema }), [{ a: 1 }])).toEqual(
      invalid(/^schema of the document type threw Error on this state(?!.*canary)/),
    );
  });
});

describe('what is said about a bad state', () => {
  it('names paths and rules but never values, and not endlessly many', () => {
    const positions = Object.fromEntries(
      Array.from({ length: 50 }, (_, position) => [
        position,
        { denomination: 'canary-denomination', count: -987_654, 'canary-key': 'canary-value' },
      ]),
    );
    const [, message] = failure(bitspireCassettes, [{ state: { positions } }]);
    expect(message.split('; ')).toHaveLength(5);
    expect(message).toContain(
      'state.positions["0"].denomination: Invalid input: expected number, received string',
    );
    expect(message).toContain('state.positions["0"].count: Too small: expected number to be >=0');
    expect(message).not.toMatch(/canary|987/);
  });

  it.each([
    ['a strict object', z.strictObject({}), 'has keys that the document type does not know'],
    ['a literal', z.looseObject({ pin: z.literal('open') }), 'Invalid input: expected "open"'],
    ['a union', z.looseObject({ pin: z.union([z.number(), z.literal('open')]) }), 'Invalid input'],
    ['a format', z.looseObject({ pin: z.email() }), 'Invalid email address'],
    [
      'a rule whose own message is general',
      z.looseObject({ pin: z.string().regex(/^\d+$/, 'must be digits') }),
      'must be digits',
    ],
    [
      'a rule whose own message quotes what it refuses',
      z.looseObject({ pin: z.string().max(3, { error: ({ input }) => `${String(input)} is too long` }) }),
      'Too big: expected string to have <=3 characters',
    ],
    [
      'a refinement that quotes what it refuses',
      z.looseObject({
        pin: z.string().refine(() => false, { error: ({ input }) => `bad: "${String(input)}"` }),
      }),
      'is refused by a rule of the document type',
    ],
    [
      'a refinement that quotes a short number',
      z.looseObject({ n: z.number().refine(() => false, { error: ({ input }) => `not ${String(input)}.` }) }),
      'is refused by a rule of the document type',
    ],
  ])('says of %s its rule only', (_, schema, rule) => {
    const [, message] = failure(anyType({ schema }), [{ state: { pin: 'canary-1234', n: -7 } }]);
    expect(message).toMatch(/^state(\.\w+)?: /);
    expect(message.replace(/^state(\.\w+)?: /, '')).toBe(rule);
  });

  it('keeps the rule where the path is long', () => {
    const [, message] = failure(anyType(), [
      `{"state":{"${'k'.repeat(5000)}":{"${'l'.repeat(5000)}":1e400}}}`,
    ]);
    expect(message.length).toBeLessThan(500);
    expect(message).toContain('does not carry this value exactly');
  });
});

describe('tagsOf', () => {
  const withTags = (tags: unknown): string[][] =>
    tagsOf({ ...bitspireFees, tags: () => tags as string[][] }, 'f'.repeat(64));

  it('is d and p, or d and what the type adds', () => {
    const d = ['d', `bitspire-fees:${'f'.repeat(64)}`];
    expect(tagsOf(bitspireFees, 'f'.repeat(64))).toEqual([d, ['p', 'f'.repeat(64)]]);
    expect(withTags([['t', 'x', 'y']])).toEqual([d, ['t', 'x', 'y']]);
    expect(withTags([])).toEqual([d]);
  });

  it.each([
    ['a second address', [['d', 'bitspire-cassettes:x']]],
    ['what is no text', [['p', 5]]],
    ['an empty tag', [[]]],
    ['no list', 'p'],
  ])('refuses %s', (_, tags) => {
    expect(() => withTags(tags)).toThrow(/"tags" of the document type bitspire-fees must give/);
  });

  it('refuses a function that fails, without its message', () => {
    const tags = (): never => {
      throw new Error('canary');
    };
    expect(() => tagsOf({ ...bitspireFees, tags }, 'f'.repeat(64))).toThrow(/^"tags" of .* failed$/);
  });
});

describe('defineDocumentType', () => {
  it('refuses a member that it does not know, which would be a protection that is left out', () => {
    const mistyped = { ...bitspireFees, resetMachineState: () => 'x' } as unknown as DocumentType;
    expect(() => defineDocumentType(mistyped)).toThrow(
      /"resetMachineState" is not known .*resetsMachineState/,
    );
    const source = { table: 'spirekeeper.fees' };
    expect(() => defineDocumentType({ ...bitspireFees, source })).toThrow(/"source" must be/);
  });

  it('refuses a name that every object has', () => {
    expect(() => defineDocumentType({ ...bitspireFees, type: 'constructor' })).toThrow(TypeError);
  });

  it.each(['', 'Fees', 'bitspire_fees', 'fees-', '-fees', 'a--b', 'a:b', 'a b', 'a'.repeat(65)])(
    'refuses a type named "%s"',
    (type) => {
      expect(() => defineDocumentType({ ...bitspireFees, type })).toThrow(
        /must be lower-case words joined by hyphens/,
      );
    },
  );

  it.each([
    ['source', undefined],
    ['source', {}],
    ['source', { table: '' }],
    ['source', { table: 'a', sql: 'SELECT 1' }],
    ['source', 'table'],
    ['schema', undefined],
    ['schema', {}],
    ['assemble', undefined],
    ['assemble', {}],
    ['tags', [['p']]],
    ['resetsMachineState', true],
    ['withoutState', 7],
  ])('refuses %s = %p and names it', (key, value) => {
    expect(() => defineDocumentType({ ...bitspireFees, [key]: value } as unknown as DocumentType)).toThrow(
      new RegExp(`^document type "bitspire-fees": "${key}" must be `),
    );
  });

  it.each([undefined, null, 'fees', {}])('refuses %p', (definition) => {
    expect(() => defineDocumentType(definition as unknown as DocumentType)).toThrow(TypeError);
  });

  it('leaves the definition to the caller and takes one that is a type already', () => {
    const definition = { ...bitspireFees, type: 'my-fees' };
    const type = defineDocumentType(definition);
    expect(Object.isFrozen(type)).toBe(true);
    expect(Object.isFrozen(definition)).toBe(false);
    expect(defineDocumentType(type).type).toBe('my-fees');
    expect(defineDocumentType({ ...type, type: 'a'.repeat(64) }).type).toHaveLength(64);
  });
});

describe('the registry', () => {
  it('has each type once, with its rows from the tables of the extension', () => {
    const types = documentTypes.map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    expect(types).toEqual(expect.arrayContaining(['bitspire-cassettes', 'bitspire-fees']));
    expect(bitspireCassettes.source).toEqual({ table: 'cassette_configs' });
    expect(bitspireCassettes.withoutState).toBe('has not reported yet');
    expect(bitspireFees.source).toEqual({
      sql: expect.stringMatching(/\{dca_machines\}.*\{super_config\}/s),
    });
  });

  it('has its tables among those of the reader of LNbits, and among those of dev', () => {
    const text = (file: string): string => readFileSync(path.join(__dirname, '../..', file), 'utf8');
    const tables = documentTypes.flatMap(({ source }) =>
      'table' in source ? [source.table] : [...source.sql.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
    );
    expect(tables.length).toBeGreaterThan(1);
    for (const table of tables) {
      expect(text('database/rights-lnbits.sql')).toContain(`'${table}'`);
      expect(text('dev/lnbits-tables.sql')).toMatch(new RegExp(`CREATE TABLE \\S*${table}\\b`));
    }
  });

  it('makes the tags by which a machine looks', () => {
    const key = 'ab'.repeat(32);
    expect(dTag('bitspire-fees', key)).toBe(`bitspire-fees:${key}`);
    expect(tagsOf(bitspireFees, key)).toEqual([
      ['d', `bitspire-fees:${key}`],
      ['p', key],
    ]);
    expect(tagsOf(anyType({ tags: () => [] }), key)).toEqual([['d', `anything:${key}`]]);
  });
});
