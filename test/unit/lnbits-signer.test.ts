import { inspect } from 'node:util';
import { nsecEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import { factsOf } from '../../inspection/plan';
import { type AccountSigner, readLnbitsSigner } from '../../nostr/signers/lnbits';
import type { CustomSigner, CustomSignerFinder } from '../../nostr/signers/custom';
import { type AccountReader, OperatorSigners } from '../../nostr/signers/operator-signers';
import type { Signer } from '../../nostr/signers/signer';
import { fails } from '../support/fails';

const hexOf = (key: Uint8Array): string => Buffer.from(key).toString('hex');

const accountKey = generateSecretKey();
const account = getPublicKey(accountKey);
const clientKey = generateSecretKey();
const relays = ['ws://127.0.0.1:5000/nostrrelay/demo'];

const bunker = (config: unknown): AccountSigner => ({
  signerType: 'RemoteBunkerSigner',
  signerConfig: typeof config === 'string' ? config : JSON.stringify(config),
  prvkey: null,
});
const local = (prvkey: string | null): AccountSigner => ({
  signerType: 'LocalSigner',
  signerConfig: null,
  prvkey,
});

describe('reading the account’s own signer', () => {
  test.each([
    ['nsec', nsecEncode(clientKey)],
    ['hex', hexOf(clientKey)],
    ['hex in upper case', hexOf(clientKey).toUpperCase()],
    ['blanks around it', `  ${nsecEncode(clientKey)}\n`],
  ])('a bunker’s client key as %s', (_, client_nsec) => {
    const read = readLnbitsSigner(bunker({ token: 't', client_nsec, policy_id: 3 }), account, relays);
    expect(read).toMatchObject({
      kind: 'lnbits-bunker',
      pubkey: account,
      bunkerPubkey: account,
      bunkerRelays: relays,
    });
    expect(hexOf(read.secretKey())).toBe(hexOf(clientKey));
  });

  test.each([
    ['hex', hexOf(accountKey)],
    ['nsec', nsecEncode(accountKey)],
    ['blanks around it', `\t${hexOf(accountKey).toUpperCase()} `],
  ])('a local key as %s', (_, prvkey) => {
    const read = readLnbitsSigner(local(prvkey), account, []);
    expect(read).toMatchObject({ kind: 'lnbits-local', pubkey: account });
    expect(hexOf(read.secretKey())).toBe(hexOf(accountKey));
  });

  test('whoever asks for the key gets a copy, and what holds it shows none', () => {
    const read = readLnbitsSigner(local(hexOf(accountKey)), account, []);
    read.secretKey().fill(0);
    expect(hexOf(read.secretKey())).toBe(hexOf(accountKey));
    const shown = JSON.stringify(read) + inspect(read, { depth: 9, showHidden: true });
    expect(shown).not.toContain(hexOf(accountKey).slice(0, 12));
    expect(shown).not.toContain(nsecEncode(accountKey).slice(0, 12));
  });

  /** As Fernet would have it: base64url that begins with gAAAA. */
  const CIPHERTEXT = 'gAAAAABmSECRETcanaryX0c2VjcmV0LWNhbmFyeQ==';
  const OUT_OF_RANGE = 'f'.repeat(64);
  const NO_CURVE_NSEC = nsecEncode(new Uint8Array(32));

  test.each<[string, AccountSigner, RegExp]>([
    ['an empty prvkey', local(null), /^prvkey of the account \(LocalSigner\) is empty$/],
    ['a blank prvkey', local('  '), /^prvkey .* is empty$/],
    ['an encrypted prvkey', local(CIPHERTEXT), /^prvkey .* is neither an nsec nor 64 hex/],
    ['a prvkey that is half a key', local(hexOf(accountKey).slice(0, 32)), /^prvkey .* is neither/],
    ['a prvkey that no curve has', local(OUT_OF_RANGE), /^prvkey .* is neither/],
    ['an nsec that no curve has', local(NO_CURVE_NSEC), /^prvkey .* is neither/],
    [
      'an nsec with a typing error',
      local(`${nsecEncode(accountKey).slice(0, -1)}b`),
      /^prvkey .* is neither/,
    ],
    ['an empty signer_config', { ...bunker(''), signerConfig: null }, /^signer_config .* is empty$/],
    ['a blank signer_config', bunker('  '), /^signer_config .* is empty$/],
    [
      'an encrypted signer_config',
      bunker(CIPHERTEXT),
      /^signer_config .* is no JSON \(it may be encrypted\)$/,
    ],
    ['a cut signer_config', bunker(`{"client_nsec":"${nsecEncode(clientKey)}"`), /is no JSON/],
    ['a list', bunker([nsecEncode(clientKey)]), /is no JSON object$/],
    [
      'JSON in JSON',
      bunker(JSON.stringify(JSON.stringify({ client_nsec: hexOf(clientKey) }))),
      /no JSON obj/,
    ],
    ['null', bunker('null'), /is no JSON object$/],
    ['no client_nsec', bunker({ nsec: nsecEncode(clientKey) }), /has no client_nsec$/],
    [
      'a client_nsec of an earlier object',
      bunker('{"__proto__":{"client_nsec":"x"}}'),
      /has no client_nsec$/,
    ],
    [
      'a client_nsec that is null',
      bunker({ client_nsec: null }),
      /^client_nsec in signer_config .* is empty$/,
    ],
    ['a client_nsec that is a number', bunker({ client_nsec: 4711 }), /has a client_nsec that is no text$/],
    ['a client_nsec that is bytes', bunker({ client_nsec: [...clientKey] }), /that is no text$/],
    ['an encrypted client_nsec', bunker({ client_nsec: CIPHERTEXT }), /^client_nsec in .* is neither/],
    ['an npub', bunker({ client_nsec: account.replace(/./, 'z') }), /is neither/],
    ['the account’s own key as the client’s', bunker({ client_nsec: hexOf(accountKey) }), /own key/],
    [
      'ClientSideOnlySigner',
      { ...local(hexOf(accountKey)), signerType: 'ClientSideOnlySigner' },
      /ClientSideOnly/,
    ],
    [
      'no signer type',
      { ...local(hexOf(accountKey)), signerType: null },
      /^signer_type of the account is empty/,
    ],
    ['another spelling', { ...local(hexOf(accountKey)), signerType: 'localsigner' }, /is localsigner: only/],
    [
      'a key for a type',
      { ...local(null), signerType: nsecEncode(accountKey) },
      /is no name of a signer type/,
    ],
    ['a hex key for a type', { ...local(null), signerType: `a${hexOf(accountKey).slice(1)}` }, /is no name/],
  ])('%s is SignerUnreadable, and no message has a value', async (_, row, message) => {
    const error = await fails(
      RepublishError,
      Promise.resolve().then(() => readLnbitsSigner(row, account, relays)),
    );
    expect(error.type).toBe('SignerUnreadable');
    expect(error.message).toMatch(message);
    for (const secret of [accountKey, clientKey])
      for (const text of [hexOf(secret), nsecEncode(secret)])
        expect(error.message.toLowerCase()).not.toContain(text.slice(0, 10));
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/gAAAA|canary|4711|ffffffff/);
  });

  test('a local key that is another account’s is refused, and both public keys are named', async () => {
    const other = generateSecretKey();
    const error = await fails(
      RepublishError,
      Promise.resolve().then(() => readLnbitsSigner(local(hexOf(other)), account, relays)),
    );
    expect(error).toMatchObject({ type: 'SignerPubkeyMismatch' });
    expect(error.message).toContain(getPublicKey(other));
    expect(error.message).toContain(account);
    expect(error.message).not.toContain(hexOf(other).slice(0, 10));
  });

  test('a bunker without relays names the variable', async () => {
    const error = await fails(
      RepublishError,
      Promise.resolve().then(() =>
        readLnbitsSigner(bunker({ client_nsec: nsecEncode(clientKey) }), account, []),
      ),
    );
    expect(error).toMatchObject({ type: 'SignerNotConfigured' });
    expect(error.message).toContain('REPUBLISH_LNBITS_BUNKER_RELAYS');
  });
});

describe('whose turn it is', () => {
  const owner = { operatorUserId: 'op', operatorPubkey: account };
  const paired = { kind: 'bunker', pubkey: account };

  /** Accounts in memory that count what is read of them. */
  function accountsWith(row: AccountSigner | undefined, pubkey: string | null = account) {
    const read = { account: 0, signer: 0 };
    const accounts: AccountReader = {
      account: async () => {
        read.account += 1;
        return { pubkey };
      },
      signer: async () => {
        read.signer += 1;
        return row;
      },
    };
    return { read, accounts };
  }
  const signersOver = (accounts: AccountReader, signers: 'paired' | 'lnbits' = 'lnbits'): OperatorSigners =>
    new OperatorSigners({ signers, bunkerRelays: relays, accounts });

  afterEach(() => jest.useRealTimers());

  test.each([
    ['paired', null, undefined],
    ['paired', account, 'bunker'],
    ['paired', 'another', 'bunker'],
    ['lnbits', null, 'lnbits-local'],
    ['lnbits', account, 'bunker'],
    ['lnbits', 'another', 'lnbits-local'],
  ] as const)('signers: %s, paired here %s: %s', async (signers, pubkey, kind) => {
    const { accounts } = accountsWith(local(hexOf(accountKey)));
    const here = pubkey === null ? null : { kind: 'bunker', pubkey };
    expect((await signersOver(accounts, signers).candidate(owner, here))?.kind).toBe(kind);
  });

  test('a provider is asked behind a paired signer with the key, and before LNbits', async () => {
    const { read, accounts } = accountsWith(local(hexOf(accountKey)));
    const found = { kind: 'kms', pubkey: account, open: () => Object.create(null) as Signer };
    const asked: string[] = [];
    const finder = (kind: string, gives: CustomSigner | undefined): CustomSignerFinder => ({
      kind,
      find: async () => (asked.push(kind), gives),
    });
    const custom = [finder('none', undefined), finder('kms', found), finder('never', found)];
    const signers = new OperatorSigners({ signers: 'lnbits', bunkerRelays: relays, accounts, custom });
    expect(await signers.current(owner, paired)).toBe(paired);
    expect(asked).toEqual([]);
    expect(await signers.current(owner, null)).toBe(found);
    expect(await signers.current(owner, { kind: 'bunker', pubkey: 'b'.repeat(64) })).toBe(found);
    expect(asked).toEqual(['none', 'kms']);
    expect(read).toEqual({ account: 0, signer: 0 });
  });

  test('paired: LNbits is not read, whatever is stored', async () => {
    const { read, accounts } = accountsWith(local(hexOf(accountKey)));
    const signers = signersOver(accounts, 'paired');
    expect(await signers.current(owner, paired)).toBe(paired);
    expect(await fails(RepublishError, signers.current(owner, null))).toMatchObject({
      type: 'SignerNotConfigured',
    });
    const other = { kind: 'bunker', pubkey: 'b'.repeat(64) };
    expect(await fails(RepublishError, signers.current(owner, other))).toMatchObject({
      type: 'SignerPubkeyMismatch',
    });
    expect(read).toEqual({ account: 0, signer: 0 });
  });

  test('lnbits: one that was paired here goes first where it holds the key, without reading LNbits', async () => {
    const { read, accounts } = accountsWith(local(hexOf(accountKey)));
    expect(await signersOver(accounts).current(owner, paired)).toBe(paired);
    expect(read).toEqual({ account: 0, signer: 0 });
  });

  test('lnbits: read once for all who ask at the same time and shortly after, and anew after that', async () => {
    jest.useFakeTimers();
    const { read, accounts } = accountsWith(bunker({ client_nsec: nsecEncode(clientKey) }));
    const signers = signersOver(accounts);
    const other = { kind: 'bunker', pubkey: 'b'.repeat(64) };
    const [one, two] = await Promise.all([signers.current(owner, null), signers.current(owner, other)]);
    expect(one).toMatchObject({ kind: 'lnbits-bunker', pubkey: account });
    expect(two).toBe(one);
    await jest.advanceTimersByTimeAsync(4_000);
    await signers.current(owner, null);
    expect(read).toEqual({ account: 1, signer: 1 });
    await jest.advanceTimersByTimeAsync(2_000);
    await signers.current(owner, null);
    expect(read).toEqual({ account: 2, signer: 2 });
  });

  test('lnbits: a failure is not kept', async () => {
    const { read, accounts } = accountsWith(local('no key'));
    const signers = signersOver(accounts);
    for (const times of [1, 2]) {
      expect(await fails(RepublishError, signers.current(owner, null))).toMatchObject({
        type: 'SignerUnreadable',
      });
      expect(read.signer).toBe(times);
    }
  });

  test('lnbits: an account whose key has changed since the run began is not asked', async () => {
    const { read, accounts } = accountsWith(
      bunker({ client_nsec: nsecEncode(clientKey) }),
      getPublicKey(generateSecretKey()),
    );
    expect(await fails(RepublishError, signersOver(accounts).current(owner, null))).toMatchObject({
      type: 'SignerPubkeyMismatch',
    });
    expect(read.signer).toBe(0);
  });

  test('lnbits: no row', async () => {
    const { accounts } = accountsWith(undefined);
    const error = await fails(RepublishError, signersOver(accounts).current(owner, null));
    expect(error).toMatchObject({ type: 'SignerNotConfigured' });
    expect(error.message).toContain('queries.signer');
  });
});

test('what a run spends of LNbits’ own client is one encryption and one signature for each document', () => {
  const own = readLnbitsSigner(bunker({ client_nsec: nsecEncode(clientKey) }), account, relays);
  expect(factsOf(own, account, 7)).toEqual({
    kind: 'lnbits-bunker',
    from: 'lnbits',
    pubkey: account,
    matchesAccount: true,
    // A path may be a secret.
    relays: ['ws://127.0.0.1:5000/…'],
    uses: { nip44_encrypt: 8, sign_event: 7, get_public_key: 1 },
  });
  expect(factsOf(own, account, 0).uses).toBeNull();
  const key = readLnbitsSigner(local(hexOf(accountKey)), account, []);
  expect(factsOf(key, account, 7)).toMatchObject({ kind: 'lnbits-local', relays: [], uses: null });
});
