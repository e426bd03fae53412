import { findersOf } from '../../assembly/custom-signers';
import { loadConfiguration } from '../../configuration/load';
import { RepublishError } from '../../contract/failures';
import type { Telemetry } from '../../contract/telemetry';
import type { ReadOnlyDatabase } from '../../database/connection';
import { generateSecretKey, getPublicKey } from '../../nostr/keys';
import type { SignerProvider } from '../../nostr/signers/custom';
import { createLocalSigner } from '../../nostr/signers/local';
import { proveSigner } from '../../nostr/signers/prove';
import type { Signer } from '../../nostr/signers/signer';
import { askSigner } from '../../pairing/current-signers';
import { fails } from '../support/fails';

const TIMEOUTS = { bunkerTimeoutMs: 60_000, approvalTimeoutMs: 120_000 };
const secretKey = generateSecretKey();
const pubkey = getPublicKey(secretKey);
const owner = { operatorUserId: 'op', operatorPubkey: pubkey };
const unsigned = { pubkey, kind: 30078, created_at: 1_700_000_000, tags: [['d', 'x']], content: 'c' };
/** Real crypto; each test replaces what it is about. */
const local = createLocalSigner(Uint8Array.from(secretKey));
const good: Signer = {
  getPublicKey: () => local.getPublicKey(),
  nip44Encrypt: (peer, plaintext) => local.nip44Encrypt(peer, plaintext),
  signEvent: (event) => local.signEvent(event),
};

function thrower(): never {
  throw new Error('the secret');
}

async function opened(
  signer: Partial<Signer>,
  timeouts = TIMEOUTS,
  provider: Partial<SignerProvider> = {},
): Promise<Signer> {
  const problems: string[] = [];
  const [finder] = findersOf(
    [{ kind: 'kms', find: () => ({ ...good, ...signer }), ...provider }],
    timeouts,
    problems,
  );
  expect(problems).toEqual([]);
  const found = await finder?.find(owner);
  if (found === undefined) throw new Error('nothing was found');
  expect(found).toMatchObject({ kind: 'kms', pubkey });
  return found.open();
}

test('a signer that does as it should is proved, and signs', async () => {
  const signer = await opened({});
  await proveSigner(signer, pubkey);
  expect(await signer.signEvent(unsigned)).toMatchObject({ ...unsigned, sig: expect.any(String) });
});

test('each request is counted under the kind of its provider', async () => {
  const asked: unknown[] = [];
  const telemetry = {
    customSignerAsked: (...told: unknown[]) => void asked.push(told),
  } as unknown as Telemetry;
  const fail = (): Promise<never> => Promise.reject(new Error('no'));
  const [finder] = findersOf([{ kind: 'kms', find: () => ({ ...good, signEvent: fail }) }], TIMEOUTS, []);
  const signer = (await finder?.find(owner))?.open(telemetry);
  await signer?.getPublicKey();
  await signer?.signEvent(unsigned).catch(() => undefined);
  expect(asked).toEqual([
    ['kms', 'get_public_key', true],
    ['kms', 'sign_event', false],
  ]);
});

test('a signer that trims, or encrypts with another key, is not proved', async () => {
  const trims = await opened({ nip44Encrypt: (peer, text) => local.nip44Encrypt(peer, text.trim()) });
  expect(await fails(RepublishError, proveSigner(trims, pubkey))).toMatchObject({
    type: 'SignerCannotEncrypt',
  });
  const other = createLocalSigner(generateSecretKey());
  const another = await opened({ nip44Encrypt: (peer, text) => other.nip44Encrypt(peer, text) });
  expect(await fails(RepublishError, proveSigner(another, pubkey))).toMatchObject({
    type: 'SignerCannotEncrypt',
  });
});

test.each([
  ['another date', (event: typeof unsigned) => ({ ...event, created_at: 1 }), 'SignerChangesEvents'],
  ['other tags', (event: typeof unsigned) => ({ ...event, tags: [['d', 'y']] }), 'SignerChangesEvents'],
] as const)('an event with %s is refused', async (_, change, type) => {
  const signer = await opened({ signEvent: (event) => local.signEvent(change(event as typeof unsigned)) });
  expect(await fails(RepublishError, signer.signEvent(unsigned))).toMatchObject({
    type,
    message: expect.stringContaining('kms signer'),
  });
});

test.each([
  ['nothing', undefined],
  ['no event', 'signed'],
  ['a forged signature', { ...unsigned, id: '0'.repeat(64), sig: '0'.repeat(128) }],
])('%s in place of a signed event is refused', async (_, answer) => {
  const signer = await opened({ signEvent: () => Promise.resolve(answer as never) });
  expect(await fails(RepublishError, signer.signEvent(unsigned))).toMatchObject({
    type: 'SignerReturnedWrongEvent',
  });
});

test('what is no ciphertext and no key is refused', async () => {
  const signer = await opened({
    nip44Encrypt: () => Promise.resolve('plaintext'),
    getPublicKey: () => Promise.resolve('key'),
  });
  for (const asked of [signer.nip44Encrypt(pubkey, 'text'), signer.getPublicKey()])
    expect(await fails(RepublishError, asked)).toMatchObject({ type: 'SignerReturnedWrongEvent' });
});

test.each([
  ['a BigInt', () => ({ ...unsigned, created_at: 1n })],
  ['toJSON that throws', () => ({ toJSON: thrower })],
  [
    'a getter that throws',
    () => ({
      get id() {
        return thrower();
      },
    }),
  ],
])('an answer with %s is refused, without its words', async (_, answer) => {
  const signer = await opened({ signEvent: () => Promise.resolve(answer() as never) });
  const failure = await fails(RepublishError, signer.signEvent(unsigned));
  expect(failure.type).toBe('SignerReturnedWrongEvent');
  expect(failure.message).not.toContain('secret');
});

test('a provider gets a copy of what it may change', async () => {
  const asked = { ...owner };
  const find = (given: typeof owner): Signer => ((given.operatorPubkey = 'changed'), good);
  const [finder] = findersOf([{ kind: 'kms', find }], TIMEOUTS, []);
  expect(await finder?.find(asked)).toMatchObject({ pubkey });
  expect(asked).toEqual(owner);
});

describe('failures', () => {
  test.each([
    ['no name that anybody could read', () => Object.assign(new Error('no'), { name: 'the secret: 1' })],
    ['a code that is a text', () => Object.assign(new Error('no'), { code: 'the secret: 1' })],
    ['a getter that throws', () => Object.defineProperty(new Error('no'), 'name', { get: thrower })],
    [
      'no prototype',
      () => Object.assign(Object.create(null), { name: 'RepublishError', type: 'SignerBusy' }),
    ],
    ['a message that is no text', () => ({ name: 'RepublishError', type: 'SignerBusy', message: 7n })],
  ])('an error with %s', async (_, thrown) => {
    const signer = await opened({ signEvent: () => Promise.reject(thrown() as Error) });
    const failure = await fails(RepublishError, signer.signEvent(unsigned));
    expect(failure.type).toBe('SignerUnreachable');
    expect(failure.message).not.toContain('secret');
  });

  test('are new ones: what a caller changed of its own does not come through', async () => {
    const thrown = Object.assign(new RepublishError('SignerBusy', 'busy', { remedy: 'Wait.' }), {
      retryAfterMs: Number.NaN,
    });
    const signer = await opened({ signEvent: () => Promise.reject(thrown) });
    const failure = await fails(RepublishError, signer.signEvent(unsigned));
    expect(failure).not.toBe(thrown);
    expect(failure).toMatchObject({ type: 'SignerBusy', message: 'busy', remedy: 'Wait.' });
    expect(failure.retryAfterMs).toBeUndefined();
  });

  test.each([
    [
      'its own word',
      () => new RepublishError('SignerBusy', 'slow down', { retryAfterMs: 5_000 }),
      'SignerBusy',
    ],
    [
      'that of another copy of this package',
      () => Object.assign(new Error('no'), { name: 'RepublishError', type: 'SignerRefused' }),
      'SignerRefused',
    ],
    ['of another scope', () => new RepublishError('DatabaseUnavailable', 'secret'), 'SignerUnreachable'],
    ['of no name', () => new TypeError('secret'), 'SignerUnreachable'],
    ['no error at all', () => 'secret', 'SignerUnreachable'],
  ])('%s', async (_, thrown, type) => {
    const signer = await opened({ signEvent: () => Promise.reject(thrown() as Error) });
    const failure = await fails(RepublishError, signer.signEvent(unsigned));
    expect(failure.type).toBe(type);
    expect(failure.message).not.toContain('secret');
  });

  test('the code of an error is told: it says whether anybody was there', async () => {
    const refused = Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } });
    const signer = await opened({ getPublicKey: () => Promise.reject(refused) });
    expect((await fails(RepublishError, signer.getPublicKey())).message).toContain(
      'TypeError (ECONNREFUSED)',
    );
  });

  test('of a provider that cannot look, and of a signer that lacks a function', async () => {
    const find = async (given: SignerProvider['find']): Promise<unknown> =>
      findersOf([{ kind: 'kms', find: given }], TIMEOUTS, [])[0]?.find(owner);
    expect(
      await fails(
        RepublishError,
        find(() => Promise.reject(new Error('down'))),
      ),
    ).toMatchObject({
      type: 'SignerUnreachable',
    });
    expect(
      await fails(
        RepublishError,
        find(() => ({ getPublicKey: good.getPublicKey }) as Signer),
      ),
    ).toMatchObject({
      type: 'SignerNotConfigured',
      message: expect.stringContaining('without nip44Encrypt, signEvent'),
    });
    expect(await find(() => undefined)).toBeUndefined();
  });
});

describe('time', () => {
  afterEach(() => jest.useRealTimers());
  const never = (): Promise<never> => new Promise(() => undefined);

  test('a call without an answer ends at the deadline, and is told so', async () => {
    jest.useFakeTimers();
    let told: AbortSignal | undefined;
    const signer = await opened({ getPublicKey: (call) => ((told = call?.signal), never()) });
    const failure = fails(RepublishError, signer.getPublicKey());
    await jest.advanceTimersByTimeAsync(TIMEOUTS.bunkerTimeoutMs);
    expect(await failure).toMatchObject({ type: 'SignerTimeout' });
    expect(told?.aborted).toBe(true);
  });

  test('where a person has to approve it may take as long as that', async () => {
    jest.useFakeTimers();
    const pages: (string | undefined)[] = [];
    const signer = await opened({
      getPublicKey: (call) => (call?.onApproval?.('https://name@approve.example'), never()),
    });
    const failure = fails(RepublishError, signer.getPublicKey({ onApproval: (page) => pages.push(page) }));
    await jest.advanceTimersByTimeAsync(TIMEOUTS.bunkerTimeoutMs);
    expect(pages).toEqual(['https://approve.example/']);
    await jest.advanceTimersByTimeAsync(TIMEOUTS.approvalTimeoutMs);
    expect(await failure).toMatchObject({ type: 'SignerApprovalPending' });
    expect(pages).toEqual(['https://approve.example/', undefined]);
  });

  test('a page that is told at every poll gives time once', async () => {
    jest.useFakeTimers();
    const pages: (string | undefined)[] = [];
    let polls = 0;
    const signer = await opened({
      async getPublicKey(call) {
        for (;;) {
          call?.onApproval?.(`https://approve.example/${(polls += 1)}`);
          await new Promise((resolve) => setTimeout(resolve, 1_000));
        }
      },
    });
    const failure = fails(RepublishError, signer.getPublicKey({ onApproval: (page) => pages.push(page) }));
    await jest.advanceTimersByTimeAsync(TIMEOUTS.approvalTimeoutMs);
    expect(await failure).toMatchObject({ type: 'SignerApprovalPending' });
    expect(polls).toBeGreaterThan(100);
    expect(pages).toEqual(['https://approve.example/1', undefined]);
  });

  test.each([['javascript:alert(1)'], ['no address'], [{ toString: () => 'https://a.example' }], [7n]])(
    '%p is no page that a person could open',
    async (page) => {
      jest.useFakeTimers();
      const pages: unknown[] = [];
      const signer = await opened({
        getPublicKey: (call) => (call?.onApproval?.(page as string), never()),
      });
      const failure = fails(RepublishError, signer.getPublicKey({ onApproval: (told) => pages.push(told) }));
      await jest.advanceTimersByTimeAsync(TIMEOUTS.bunkerTimeoutMs);
      expect(await failure).toMatchObject({ type: 'SignerTimeout' });
      expect(pages).toEqual([undefined]);
    },
  );

  test('where a person has come, a later silence is none of theirs', async () => {
    jest.useFakeTimers();
    const signer = await opened({
      getPublicKey(call) {
        call?.onApproval?.('https://approve.example');
        call?.onApproval?.(undefined);
        return never();
      },
    });
    const failure = fails(RepublishError, signer.getPublicKey());
    await jest.advanceTimersByTimeAsync(TIMEOUTS.approvalTimeoutMs);
    expect(await failure).toMatchObject({ type: 'SignerTimeout' });
  });

  test('after the end of the call nobody is told of a page, and no timer begins', async () => {
    jest.useFakeTimers();
    const pages: (string | undefined)[] = [];
    let tell: ((url: string | undefined) => void) | undefined;
    const signer = await opened({
      getPublicKey: (call) => ((tell = call?.onApproval), Promise.resolve(pubkey)),
    });
    await signer.getPublicKey({ onApproval: (page) => pages.push(page) });
    tell?.('https://approve.example');
    expect(pages).toEqual([undefined]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('who gives up does not wait for the signer', async () => {
    const signer = await opened({ signEvent: never });
    const given = new AbortController();
    const signed = signer.signEvent(unsigned, { signal: given.signal });
    given.abort(new Error('cancelled'));
    await expect(signed).rejects.toThrow('cancelled');
  });

  test('at most `concurrency` requests are in flight; the others wait for their turn', async () => {
    let running = 0;
    let most = 0;
    const held: (() => void)[] = [];
    const signer = await opened(
      {
        signEvent: async (event) => {
          running += 1;
          most = Math.max(most, running);
          await new Promise<void>((resolve) => held.push(resolve));
          running -= 1;
          return local.signEvent(event);
        },
      },
      TIMEOUTS,
      { concurrency: 2 },
    );
    const turn = new AbortController();
    const signed = Promise.all([1, 2, 3].map(() => signer.signEvent(unsigned)));
    const leaves = signer.signEvent(unsigned, { turn: turn.signal });
    turn.abort(new Error('no turn'));
    await expect(leaves).rejects.toThrow('no turn');
    for (let ended = 0; ended < 3; await new Promise(setImmediate)) {
      const end = held.shift();
      if (end === undefined) continue;
      end();
      ended += 1;
    }
    expect(await signed).toHaveLength(3);
    expect(most).toBe(2);
  });
});

test.each([
  [{ kind: 'AWS KMS' }, 'must be lower-case words'],
  [{ kind: 'bunker' }, 'which is one of this package'],
  [{ kind: 'lnbits-kms' }, 'which is one of this package'],
  [{ find: undefined }, 'has no function "find"'],
  [{ concurrency: 0 }, 'must be a whole number from 1'],
])('a provider that cannot be used is named: %j', (wrong, problem) => {
  const problems: string[] = [];
  const provider = { kind: 'kms', find: () => undefined, ...wrong } as unknown as SignerProvider;
  expect(findersOf([provider], TIMEOUTS, problems)).toEqual([]);
  expect(problems).toEqual([expect.stringContaining(problem)]);
});

test.each([null, undefined, 'kms', 7])('a provider that is no object is named: %p', (provider) => {
  const problems: string[] = [];
  expect(findersOf([provider as unknown as SignerProvider], TIMEOUTS, problems)).toEqual([]);
  expect(problems).toEqual(['signers[0]: a provider must be an object']);
});

test('two providers of one kind: a proof could not tell them apart', () => {
  const problems: string[] = [];
  const provider: SignerProvider = { kind: 'kms', find: () => undefined };
  expect(findersOf([provider, provider], TIMEOUTS, problems)).toHaveLength(1);
  expect(problems).toEqual([expect.stringContaining('two providers have the kind "kms"')]);
});

test('whoever asks a signer of a provider by a command is shown where to approve', async () => {
  const said: string[] = [];
  const signer: Signer = {
    ...good,
    getPublicKey(call) {
      call?.onApproval?.('https://approve.example/');
      return local.getPublicKey();
    },
    signEvent(event, call) {
      call?.onApproval?.('https://approve.example/sign');
      return local.signEvent(event);
    },
  };
  const [finder] = findersOf([{ kind: 'kms', find: () => signer }], TIMEOUTS, []);
  const found = await finder?.find(owner);
  if (found === undefined) throw new Error('nothing was found');
  const context = {
    configuration: loadConfiguration({
      env: { REPUBLISH_SECRETS_KEY: 'k'.repeat(32) },
      directory: __dirname,
    }),
    database: {} as ReadOnlyDatabase,
    accounts: {
      account: async () => ({ id: 'op', pubkey }),
      signer: async () => undefined,
      operators: async () => [],
    },
    operatorUserId: 'op',
    say: (text: string) => void said.push(text),
  };
  const ask = async (open: Signer): Promise<void> => void (await open.signEvent(unsigned));
  expect(await askSigner(context, { ...found, from: 'custom' } as never, { ask })).toMatchObject({ pubkey });
  expect(said).toEqual([
    'the kms signer asks for approval; open https://approve.example/',
    'the kms signer asks for approval; open https://approve.example/sign',
  ]);
});
