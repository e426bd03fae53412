import type { RepublishInput } from '../../contract/input';
import { normalisedInput, problemsOfInput } from '../../rules/input';

const PUBKEY = 'ab'.repeat(32);

describe('problemsOfInput', () => {
  it('accepts the operator alone, and every key at once', () => {
    expect(problemsOfInput({ operatorUserId: 'op' })).toEqual([]);
    const all: Required<RepublishInput> = {
      operatorUserId: 'op',
      documentTypes: ['bitspire-fees'],
      machineIds: ['m1', 'm2'],
      expectedPubkey: PUBKEY,
      force: true,
      resetCounts: true,
      onFailure: 'report',
      reason: 'r'.repeat(500),
    };
    expect(problemsOfInput(all)).toEqual([]);
  });

  it('takes null for a key that is left out, as Python sends it', () => {
    const sent = JSON.parse(
      '{"operatorUserId":"op","documentTypes":null,"machineIds":null,"expectedPubkey":null,"force":null,"resetCounts":null,"onFailure":null,"reason":null}',
    ) as unknown;
    expect(problemsOfInput(sent)).toEqual([]);
  });

  it.each([[undefined], [null], ['op'], [7], [[]], [[{ operatorUserId: 'op' }]]])(
    'refuses %j, which is no JSON object',
    (input) => {
      expect(problemsOfInput(input)).toEqual([expect.stringContaining('must be a JSON object')]);
    },
  );

  it('refuses a key it does not know, because it may be a mistyped restriction', () => {
    const [problem, ...others] = problemsOfInput({ operatorUserId: 'op', documentType: ['bitspire-fees'] });
    expect(problem).toMatch(/unknown key "documentType"; known are operatorUserId, documentTypes, /);
    expect(others).toEqual([]);
    expect(problemsOfInput(JSON.parse('{"operatorUserId":"op","__proto__":{}}'))).toHaveLength(1);
  });

  it('cuts an endless unknown key and keeps the message valid UTF-8', () => {
    const [problem] = problemsOfInput({ operatorUserId: 'op', ['x'.repeat(59) + '😀'.repeat(500)]: 1 });
    expect(problem?.length).toBeLessThan(300);
    expect(problem).not.toMatch(/\p{Surrogate}/u);
  });

  it.each<[string, Record<string, unknown>]>([
    ['operatorUserId', { operatorUserId: undefined }],
    ['operatorUserId', { operatorUserId: null }],
    ['operatorUserId', { operatorUserId: ' ' }],
    ['operatorUserId', { operatorUserId: 7 }],
    ['operatorUserId', { operatorUserId: 'x'.repeat(201) }],
    ['operatorUserId', { operatorUserId: 'a\0b' }],
    ['documentTypes', { documentTypes: [] }],
    ['documentTypes', { documentTypes: 'bitspire-fees' }],
    ['documentTypes', { documentTypes: ['bitspire-fees', ''] }],
    ['documentTypes', { documentTypes: ['\ud800'] }],
    ['machineIds', { machineIds: [] }],
    ['machineIds', { machineIds: [7] }],
    ['machineIds', { machineIds: { 0: 'm' } }],
    ['expectedPubkey', { expectedPubkey: PUBKEY.toUpperCase() }],
    ['expectedPubkey', { expectedPubkey: PUBKEY.slice(1) }],
    ['expectedPubkey', { expectedPubkey: `${PUBKEY}\n` }],
    // Its String() is 64 hex characters, but it would never equal the account's key.
    ['expectedPubkey', { expectedPubkey: [PUBKEY] }],
    ['force', { force: 'true' }],
    ['force', { force: 0 }],
    ['resetCounts', { resetCounts: 'true', force: true }],
    ['onFailure', { onFailure: 'abort' }],
    ['reason', { reason: 'r'.repeat(501) }],
    ['reason', { reason: 7 }],
    ['reason', { reason: 'half an emoji \ud83d' }],
  ])('says what is wrong with %s in %j', (key, fields) => {
    const problems = problemsOfInput({ operatorUserId: 'op', ...fields });
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${key}(: entry \\d+)? must be `))]);
  });

  it.each([{}, { force: false }, { force: null }])(
    'refuses resetCounts with %j: it means nothing by itself',
    (force) => {
      expect(problemsOfInput({ operatorUserId: 'op', resetCounts: true, ...force })).toEqual([
        expect.stringMatching(/^resetCounts goes with force/),
      ]);
    },
  );

  it('takes lists of up to a thousand entries', () => {
    const machineIds = Array.from({ length: 1_001 }, (_, index) => `m${index}`);
    expect(problemsOfInput({ operatorUserId: 'op', machineIds: machineIds.slice(1) })).toEqual([]);
    expect(problemsOfInput({ operatorUserId: 'op', machineIds })).toEqual([
      'machineIds has 1001 entries, at most 1000 are taken; leave it out for all',
    ]);
  });

  it('does not repeat a hundred thousand wrong keys, which would outgrow the history', () => {
    const keys = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`key${index}`, 1]));
    const problems = problemsOfInput({ operatorUserId: 'op', ...keys });
    expect(problems).toHaveLength(11);
    expect(problems.at(-1)).toBe('and 99990 more');
  });

  it('names every problem at once', () => {
    const problems = problemsOfInput({ machineIds: [], force: 1, onFailure: 'abort', typo: 1 });
    expect(problems).toHaveLength(5);
  });
});

describe('normalisedInput', () => {
  it('leaves out the keys that other languages send as null', () => {
    const sent = { operatorUserId: 'op', documentTypes: null, machineIds: null, reason: null, force: false };
    expect(normalisedInput(sent as unknown as RepublishInput)).toEqual({
      operatorUserId: 'op',
      force: false,
    });
  });

  it('names each document type and machine once, in the order in which they came', () => {
    const input = { operatorUserId: 'op', documentTypes: ['b', 'a', 'b'], machineIds: ['2', '1', '2', '1'] };
    expect(normalisedInput(input)).toEqual({
      operatorUserId: 'op',
      documentTypes: ['b', 'a'],
      machineIds: ['2', '1'],
    });
    expect(input.machineIds).toHaveLength(4);
  });
});
