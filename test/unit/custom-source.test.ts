import { checkedSource } from '../../assembly/custom-source';
import { RepublishError } from '../../contract/failures';
import type { CustomSource, MachineRow, Source } from '../../sources/source';
import { fails } from '../support/fails';

const KEY = 'ab'.repeat(32);
const machine = (id: string, machineNpub: string | null = null): MachineRow => ({
  id,
  name: null,
  machineNpub,
});

function checked(source: Partial<CustomSource>): Source {
  const problems: string[] = [];
  const made = checkedSource(
    {
      name: 'the test source',
      account: async () => undefined,
      machines: async () => [],
      states: async () => new Map(),
      ...source,
    },
    problems,
  );
  if (made === undefined) throw new Error(problems.join('\n'));
  return made;
}

const page = { operatorUserId: 'op', limit: 2 };

test('machines: what is in order comes through, and only what was asked for', async () => {
  const source = checked({ machines: async () => [machine('a'), machine('b')] });
  expect(await source.machines(page)).toEqual([machine('a'), machine('b')]);
  expect(await fails(RepublishError, source.machines({ ...page, machineIds: ['b', 'z'] }))).toMatchObject({
    type: 'SourceMisconfigured',
    message: 'the test source: machines: the answer has the machine "a", which was not asked for',
  });
});

/** As an API that gives at most `most` at a time, whatever it is asked for. */
const capped =
  (ids: readonly string[], most: number) =>
  (asked: { after?: string | undefined; machineIds?: readonly string[] | undefined; limit: number }) =>
    ids
      .filter((id) => id > (asked.after ?? '') && (asked.machineIds?.includes(id) ?? true))
      .slice(0, Math.min(most, asked.limit));

test('a source that gives fewer at a time than it is asked for loses nothing', async () => {
  const ids = Array.from({ length: 250 }, (_, index) => `m${String(index).padStart(3, '0')}`);
  const some = capped(ids, 50);
  const source = checked({
    machines: async (asked) => some(asked).map((id) => machine(id, id === 'm249' ? KEY : null)),
    operators: async (asked) => some(asked),
  });
  expect(await source.machines({ ...page, limit: 1_000 })).toHaveLength(250);
  expect(await source.machines({ ...page, limit: 120 })).toHaveLength(120);
  const few = { ...page, machineIds: ['m010', 'm240'] };
  expect((await source.machines(few)).map(({ id }) => id)).toEqual(['m010', 'm240']);
  expect(await source.operators({ limit: 1_000 })).toEqual(ids);
  expect(await source.machineKeys('op', [KEY])).toEqual([KEY]);
});

test('a source that begins again with every answer is refused, and not read without end', async () => {
  const source = checked({ machines: async () => [machine('a')], operators: async () => ['a'] });
  for (const asked of [source.machines(page), source.operators(page)])
    expect(await fails(RepublishError, asked)).toMatchObject({ type: 'SourceMisconfigured' });
});

test('a source gets copies of what it may change', async () => {
  const source = checked({
    async machines(asked) {
      const { limit } = asked;
      const ids = (asked.machineIds as string[]).splice(0);
      Object.assign(asked, { limit: 1_000, after: undefined });
      return ids
        .filter((id) => id > 'a')
        .slice(0, limit + 1)
        .map((id) => machine(id));
    },
    async states(_, machineIds) {
      return new Map((machineIds as string[]).splice(0).map((id) => [id, ['{}']]));
    },
  });
  const ids = ['b', 'c'];
  expect(await source.machines({ ...page, machineIds: ids })).toHaveLength(2);
  expect((await source.states('t', ids, 10)).get('c')).toEqual(['{}']);
  expect(ids).toEqual(['b', 'c']);
});

const WRONG = {
  account: [{ id: 'op', pubkey: 5 }, { id: 'op' }, { pubkey: KEY }, { id: 'other', pubkey: KEY }, 'op'],
  machines: [
    ...[undefined, null, [null], [undefined, machine('a')], 'a', { 0: machine('a') }],
    ...[[{ id: 'a', name: null }], [{ ...machine('a'), machineNpub: 9 }], [{ ...machine('a'), name: 9 }]],
    ...['a\0', 'a\ud800', 'a b', '', 'a'.repeat(201)].map((id) => [machine(id)]),
  ],
  operators: [undefined, null, [7], ['a\0'], 'a'],
  states: [
    ...[undefined, null, {}, new Map([['M', ['{}']]]), new Map([['m', '{}']])],
    ...[new Map([['m', [7]]]), new Map([[7, []]])],
  ],
  signer: [{ signerType: null, signerConfig: null, prvkey: 7 }, { signerType: null }, 'nsec'],
} satisfies Partial<Record<keyof CustomSource, unknown[]>>;

test.each(
  Object.entries(WRONG).flatMap(([method, answers]) =>
    answers.map((answer: unknown, index) => ({ method, answer, index })),
  ),
)('an answer that is wrong is final, and named: $method $index', async ({ method, answer }) => {
  const source = checked({ [method]: async () => answer });
  const asked = {
    account: () => source.account('op'),
    machines: () => source.machines(page),
    operators: () => source.operators(page),
    states: () => source.states('t', ['m'], 10),
    signer: () => source.signer('op'),
  }[method as keyof typeof WRONG];
  const failure = await fails(RepublishError, asked());
  expect(failure.type).toBe('SourceMisconfigured');
  expect(failure.message).toMatch(new RegExp(`^the test source: ${method}: `));
});

test('null is nobody, as undefined is', async () => {
  const source = checked({ account: async () => null, signer: async () => null });
  expect(await source.account('op')).toBeUndefined();
  expect(await source.signer('op')).toBeUndefined();
});

test('an answer is copied: what its owner changes later, or keeps beside it, is not seen', async () => {
  const row = { ...machine('a', KEY), token: 'secret' };
  const source = checked({ machines: async ({ after }) => (after === undefined ? [row] : []) });
  const given = await source.machines(page);
  row.machineNpub = null;
  expect(given).toEqual([machine('a', KEY)]);
});

test.each([
  ['out of order', ['b', 'a'], undefined, 'not in the order'],
  ['one twice', ['a', 'a'], undefined, 'not in the order'],
  ['in the order of UTF-16', ['\u{1F600}', '\uFF5E'], undefined, 'not in the order'],
  ['again what the last page had', ['a', 'b'], 'a', 'not in the order'],
  ['more than asked for', ['a', 'b', 'c'], undefined, '3 are more than the 2'],
  ['an id that is no text', [7], undefined, 'an id is no text'],
])('machines: %s would lose a machine, and is refused', async (_, ids, after, why) => {
  const source = checked({ machines: async () => (ids as string[]).map((id) => machine(id)) });
  expect(await fails(RepublishError, source.machines({ ...page, after }))).toMatchObject({
    type: 'SourceMisconfigured',
    message: expect.stringContaining(why),
  });
});

test('machineKeys: of all pages, however they are written', async () => {
  const all = Array.from({ length: 1_001 }, (_, index) =>
    machine(String(index).padStart(5, '0'), index === 1_000 ? ` ${KEY.toUpperCase()} ` : null),
  );
  const source = checked({
    machines: async ({ after = '', limit }) => all.filter(({ id }) => id > after).slice(0, limit),
  });
  expect(await source.machineKeys('op', [KEY])).toEqual([` ${KEY.toUpperCase()} `]);
});

describe('states', () => {
  const statesOf = async (rows: unknown): Promise<unknown> => {
    const source = checked({ states: async () => new Map([['m', rows as string[]]]) });
    return (await source.states('t', ['m', 'other'], 10)).get('m');
  };

  test('rows come through as they are; a machine without an entry has none', async () => {
    expect(await statesOf(['{"state":1.10}'])).toEqual(['{"state":1.10}']);
    expect(await (await checked({}).states('t', ['m'], 10)).get('m')).toEqual([]);
  });

  test('rows that are no text would have lost their digits already', async () => {
    expect(await fails(RepublishError, statesOf([{ state: 1.1 }]))).toMatchObject({
      type: 'SourceMisconfigured',
    });
  });

  test('too large, or not to be read: the failure of this machine alone', async () => {
    expect(await statesOf(['x'.repeat(41)])).toMatchObject({ type: 'StateTooLarge' });
    expect(await statesOf(new RepublishError('StateInvalid', 'its row is broken'))).toMatchObject({
      type: 'StateInvalid',
      message: 'its row is broken',
    });
    const unnamed = (await statesOf(new Error('quotes the state'))) as RepublishError;
    expect(unnamed.type).toBe('StateInvalid');
    expect(unnamed.message).not.toContain('quotes');
  });

  test.each(['GivenUp', 'NotAttempted', 'Interrupted', 'Unexpected', 'LedgerIncomplete'] as const)(
    '%s is none of a state',
    async (type) => {
      expect(await statesOf(new RepublishError(type, 'no'))).toMatchObject({ type: 'StateInvalid' });
    },
  );

  test('null is no rows', async () => {
    expect(await statesOf(null)).toEqual([]);
  });
});

describe('failures', () => {
  afterEach(() => jest.useRealTimers());

  test.each([
    ['its own word', new RepublishError('SourceMisconfigured', 'no such path'), 'SourceMisconfigured'],
    ['of another scope', new RepublishError('SignerRefused', 'secret'), 'SourceUnavailable'],
    ['of our own ledger', new RepublishError('LedgerIncomplete', 'secret'), 'SourceUnavailable'],
    ['of no name', new TypeError('secret'), 'SourceUnavailable'],
  ])('%s', async (_, thrown, type) => {
    const source = checked({ account: () => Promise.reject(thrown) });
    const failure = await fails(RepublishError, source.account('op'));
    expect(failure.type).toBe(type);
    expect(failure.message).not.toContain('secret');
  });

  test('no answer', async () => {
    jest.useFakeTimers();
    const failure = fails(
      RepublishError,
      checked({ account: () => new Promise(() => undefined) }).account('op'),
    );
    await jest.advanceTimersByTimeAsync(30_000);
    expect(await failure).toMatchObject({ type: 'SourceUnavailable' });
  });

  test('the own signer of an account that it does not tell', async () => {
    expect(await fails(RepublishError, checked({}).signer('op'))).toMatchObject({
      type: 'SourceMisconfigured',
    });
  });
});

test('a source that cannot be used is named', () => {
  const problems: string[] = [];
  expect(checkedSource({ name: 'x' } as CustomSource, problems)).toBeUndefined();
  expect(checkedSource({ ...checked({}), name: ' ' } as unknown as CustomSource, problems)).toBeUndefined();
  expect(problems).toEqual([
    'source: it has no function account, machines, states',
    expect.stringContaining('"name" must be text'),
  ]);
});
