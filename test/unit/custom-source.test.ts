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
  expect(await source.machines({ ...page, machineIds: ['b', 'z'] })).toEqual([machine('b')]);
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
});

describe('failures', () => {
  afterEach(() => jest.useRealTimers());

  test.each([
    ['its own word', new RepublishError('SourceMisconfigured', 'no such path'), 'SourceMisconfigured'],
    ['of another scope', new RepublishError('SignerRefused', 'secret'), 'SourceUnavailable'],
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
