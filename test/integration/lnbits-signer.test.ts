import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { nsecEncode } from 'nostr-tools/nip19';
import { decrypt, getConversationKey } from 'nostr-tools/nip44';
import { generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import type { ActivityDependencies } from '../../activities/dependencies';
import { relayIdentity } from '../../activities/steps/relay-identity';
import { currentSigner } from '../../activities/steps/use-signer';
import { loadConfiguration } from '../../configuration/load';
import type { Configuration } from '../../configuration/schema';
import { RepublishError } from '../../contract/failures';
import { openPostgresSource } from '../../sources/postgres';
import { createDatabase, dropDatabase } from '../../database/admin';
import { type Database, openDatabase } from '../../database/connection';
import { migrate } from '../../database/migrate';
import { deleteSigner, putSigner } from '../../database/signers';
import { type BunkerOptions, type DevBunker, startBunker } from '../../dev/bunker';
import { type DevRelay, startRelay } from '../../dev/relay';
import { checkSigners } from '../../inspection/doctor/signers';
import { lockSecretKey } from '../../nostr/keys';
import { RelayPool } from '../../nostr/relays/pool';
import { RelayPublisher } from '../../nostr/relays/publisher';
import { Keyring } from '../../nostr/signers/keyring';
import { OperatorSigners, type Owner } from '../../nostr/signers/operator-signers';
import { proveSigner } from '../../nostr/signers/prove';
import type { Signer } from '../../nostr/signers/signer';
import { checkCurrentSigner, listCurrentSigners } from '../../pairing/current-signers';
import { startBareRelay } from '../support/bare-relay';
import { republish } from '../support/command-line';
import { fails } from '../support/fails';
import { place } from '../support/place';
import { testServers } from '../support/servers';
import { until } from '../support/until';

const GRANTS = ['nip44_encrypt', 'sign_event:30078'];
const hexOf = (key: Uint8Array): string => Buffer.from(key).toString('hex');

let database: Database;
let databaseName: string;
let databaseUrl: string;
let relay: DevRelay;
const secretsKey = randomBytes(32).toString('hex');
/** Every key that must be seen nowhere. */
const secrets: Uint8Array[] = [];
const cleanUp: (() => unknown)[] = [];

beforeAll(async () => {
  databaseName = `lnbits_signer_${randomUUID().replaceAll('-', '')}`;
  databaseUrl = await createDatabase(testServers().postgresUrl, databaseName);
  database = openDatabase({ url: databaseUrl });
  await migrate(database);
  await database.query(
    `CREATE TABLE accounts (id text PRIMARY KEY, pubkey text, signer_type text, signer_config text, prvkey text)`,
  );
  await database.query('CREATE SCHEMA spirekeeper');
  await database.query(
    'CREATE TABLE spirekeeper.dca_machines (id text PRIMARY KEY, operator_user_id text NOT NULL)',
  );
  relay = await startRelay();
});
afterEach(async () => {
  for (const clean of cleanUp.splice(0).reverse()) await clean();
  await database.query('TRUNCATE accounts, spirekeeper.dca_machines, republish.signers');
});
afterAll(async () => {
  await relay.stop();
  await database.close();
  await dropDatabase(testServers().postgresUrl, databaseName);
});

interface Account extends Owner {
  accountKey: Uint8Array;
}

async function addAccount(row: { type: string; config?: string; prvkey?: string; key?: Uint8Array }) {
  const accountKey = row.key ?? generateSecretKey();
  secrets.push(accountKey);
  const account: Account = {
    operatorUserId: `op-${randomUUID()}`,
    operatorPubkey: getPublicKey(accountKey),
    accountKey,
  };
  await database.query('INSERT INTO accounts VALUES ($1, $2, $3, $4, $5)', [
    account.operatorUserId,
    account.operatorPubkey,
    row.type,
    row.config ?? null,
    row.prvkey ?? null,
  ]);
  await database.query('INSERT INTO spirekeeper.dca_machines VALUES ($1, $2)', [
    randomUUID(),
    account.operatorUserId,
  ]);
  return account;
}

/**
 * An account whose key is in a bunker that is as nsecbunkerd is: the user's key is its own, and it knows
 * LNbits' client.
 */
async function addBunkerAccount(
  options: Partial<BunkerOptions> = {},
): Promise<Account & { bunker: DevBunker; clientKey: Uint8Array }> {
  const [key, clientKey] = [generateSecretKey(), generateSecretKey()];
  secrets.push(clientKey);
  const bunker = await startBunker({
    relays: [relay.url],
    userSecretKey: key,
    signerSecretKey: key,
    knownClients: [getPublicKey(clientKey)],
    grants: GRANTS,
    ...options,
  });
  cleanUp.push(() => bunker.stop());
  const config = JSON.stringify({ token: 'x', client_nsec: nsecEncode(clientKey), policy_id: 1 });
  return { ...(await addAccount({ type: 'RemoteBunkerSigner', config, key })), bunker, clientKey };
}

async function pairLocally(operatorUserId: string, key: Uint8Array): Promise<void> {
  const ncryptsec = await lockSecretKey(key, secretsKey);
  await putSigner(database, { operatorUserId, kind: 'local', pubkey: getPublicKey(key), ncryptsec });
}

function configured(env: Record<string, string> = {}): Configuration & {
  databaseUrl: string;
  secretsKey: string;
} {
  const configuration = loadConfiguration({
    env: {
      DATABASE_URL: databaseUrl,
      REPUBLISH_SECRETS_KEY: secretsKey,
      REPUBLISH_SIGNERS: 'lnbits',
      REPUBLISH_LNBITS_BUNKER_RELAYS: relay.url,
      REPUBLISH_BUNKER_TIMEOUT_MS: '8000',
      ...env,
    },
    needs: ['databaseUrl', 'secretsKey'],
  });
  return { ...configuration, databaseUrl, secretsKey };
}

/** What the steps of an activity need for signing. */
function dependencies(env: Record<string, string> = {}): ActivityDependencies {
  const configuration = configured(env);
  const keyring = new Keyring({ ...configuration, secretsKey, connectTimeoutMs: 2_000 });
  cleanUp.push(() => keyring.close());
  const { signers, lnbitsBunkerRelays: bunkerRelays, queries } = configuration;
  const operatorSigners = new OperatorSigners({
    signers,
    bunkerRelays,
    accounts: openPostgresSource({
      database,
      where: 'test',
      preset: 'auto',
      queries: { ...queries, documentTypes: [] },
    }),
  });
  return { database, keyring, operatorSigners } as Partial<ActivityDependencies> as ActivityDependencies;
}

async function useSigner<T>(
  deps: ActivityDependencies,
  owner: Owner,
  work: (signer: Signer) => Promise<T>,
): Promise<T> {
  return deps.keyring.use(await currentSigner(deps, owner), work);
}

/** As a run does it before its first document. */
const prove = (deps: ActivityDependencies, owner: Owner): Promise<void> =>
  useSigner(deps, owner, (signer) => proveSigner(signer, owner.operatorPubkey));

const nobodyApproves = { approvalListener: () => () => undefined };
const documentOf = (pubkey: string, content: string) => ({
  pubkey,
  kind: 30078,
  created_at: 1_800_000_000,
  tags: [['d', 'bitspire-fees:x']],
  content,
});

async function refusal(promise: Promise<unknown>): Promise<RepublishError> {
  const error = await fails(RepublishError, promise);
  expectNoSecret(error.message);
  return error;
}

function expectNoSecret(text: string): void {
  for (const key of secrets) {
    expect(text).not.toContain(hexOf(key));
    expect(text).not.toContain(nsecEncode(key));
  }
}

describe('LNbits’ own bunker client', () => {
  test('is asked three methods, never more than two at a time, and nothing of it is stored', async () => {
    let [inFlight, most] = [0, 0];
    const { bunker, operatorUserId, operatorPubkey } = await addBunkerAccount({
      onRequest: async () => {
        inFlight += 1;
        most = Math.max(most, inFlight);
        await sleep(30);
        inFlight -= 1;
      },
    });
    const deps = dependencies({ REPUBLISH_BUNKER_CONCURRENCY: '8' });
    const owner = { operatorUserId, operatorPubkey };
    await prove(deps, owner);

    const machineKey = generateSecretKey();
    const machine = getPublicKey(machineKey);
    await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const plaintext = `{"positions":{"1":{"denomination":20,"count":${index}}}}`;
        const content = await useSigner(deps, owner, (signer) => signer.nip44Encrypt(machine, plaintext));
        expect(decrypt(content, getConversationKey(machineKey, operatorPubkey))).toBe(plaintext);
        const signed = await useSigner(deps, owner, (signer) =>
          signer.signEvent(documentOf(operatorPubkey, content)),
        );
        expect(verifyEvent({ ...signed })).toBe(true);
      }),
    );

    const asked = bunker.requests.map(({ method }) => method);
    expect(asked.toSorted()).toEqual([
      'get_public_key',
      ...Array<string>(11).fill('nip44_encrypt'),
      ...Array<string>(10).fill('sign_event'),
    ]);
    expect(most).toBe(2);
    const [stored] = await database.query<{ rows: string }>(
      `SELECT (SELECT count(*) FROM republish.signers) + (SELECT count(*) FROM republish.pairings) AS rows`,
    );
    expect(Number(stored?.rows)).toBe(0);
  });

  test('is not asked to authenticate to a relay that demands it: the relay counts as one that refuses', async () => {
    const { bunker, operatorUserId, operatorPubkey, accountKey } = await addBunkerAccount();
    const members = await startBareRelay();
    cleanUp.push(() => members.stop());
    members.script = {
      onConnect: (peer) => peer.send('AUTH', 'challenge'),
      onAuth: (event, peer) => peer.send('OK', event.id, false, 'restricted: not a member'),
      onEvent: (event, peer) => peer.send('OK', event.id, false, 'auth-required: members only'),
      onRequest: (subscription, _filters, peer) =>
        peer.send('CLOSED', subscription, 'auth-required: members only'),
    };
    const pool = new RelayPool({ connectTimeoutMs: 2_000 });
    const publisher = new RelayPublisher({
      pool,
      relays: [members.url, relay.url],
      quorum: 1,
      replyTimeoutMs: 2_000,
    });
    cleanUp.push(() => {
      publisher.close();
      pool.close();
    });
    const deps = dependencies();
    const owner = { operatorUserId, operatorPubkey };
    const event = await useSigner(deps, owner, (signer) => signer.signEvent(documentOf(operatorPubkey, 'c')));
    const identity = relayIdentity(deps, { runId: 'run', ...owner }, nobodyApproves);
    const placed = await place(publisher, event, { identity });
    expect(placed).toMatchObject({ holding: 1, required: 1, relays: { [relay.url]: { state: 'holds' } } });
    expect(placed.relays[members.url]).toMatchObject({ state: 'refused' });
    expect(placed.relays[members.url]?.detail).toContain('pair a bunker for that');
    expect(members.countOf('AUTH')).toBe(0);
    expect(bunker.requests.map(({ method }) => method)).toEqual(['sign_event']);

    // A signer that was paired here since then may be asked, on the same connection and for the same
    // challenge.
    await pairLocally(operatorUserId, accountKey);
    await place(publisher, event, { identity });
    // The other relay is enough to end there.
    await until(() => members.countOf('AUTH') > 0);
    expect(members.countOf('AUTH')).toBe(1);
  });

  test('silence is named for what it may be: not granted, or a client that the bunker does not know', async () => {
    const short = { REPUBLISH_BUNKER_TIMEOUT_MS: '3000' };
    const ungranted = await addBunkerAccount({ grants: ['sign_event:30078'] });
    const asked = useSigner(dependencies(short), ungranted, (signer) =>
      signer.nip44Encrypt(ungranted.operatorPubkey, 'x'),
    );
    expect(await refusal(asked)).toMatchObject({
      type: 'SignerTimeout',
      message: expect.stringMatching(
        /REPUBLISH_LNBITS_BUNKER_RELAYS; nsecbunkerd is silent, too, where/,
      ) as string,
    });
    const stranger = await addBunkerAccount({ knownClients: [] });
    // Which proves nothing: nsecbunkerd answers this to everybody.
    const named = useSigner(dependencies(), stranger, (signer) => signer.getPublicKey());
    expect(await named).toBe(stranger.operatorPubkey);
    expect(await refusal(prove(dependencies(short), stranger))).toMatchObject({ type: 'SignerTimeout' });
  });

  test('a bunker that names another key than the account’s is refused before anything is signed', async () => {
    const account = await addBunkerAccount({ faults: () => ({ reportPubkey: 'b'.repeat(64) }) });
    expect(await refusal(prove(dependencies(), account))).toMatchObject({
      type: 'SignerPubkeyMismatch',
    });
    expect(account.bunker.requests.map(({ method }) => method)).toEqual(['get_public_key']);
  });
});

describe('the account’s own key', () => {
  test('signs where it is the account’s, and is refused where it is another’s', async () => {
    const key = generateSecretKey();
    const good = await addAccount({ type: 'LocalSigner', prvkey: `  ${hexOf(key)} `, key });
    const deps = dependencies();
    const signed = await useSigner(deps, good, (signer) =>
      signer.signEvent(documentOf(good.operatorPubkey, 'c')),
    );
    expect(verifyEvent({ ...signed })).toBe(true);
    // A key of this process may answer a relay's challenge.
    const identity = relayIdentity(deps, { runId: 'run', ...good }, nobodyApproves);
    expect((await identity.sign({ ...documentOf(good.operatorPubkey, ''), kind: 22242 })).kind).toBe(22242);

    const other = generateSecretKey();
    secrets.push(other);
    const bad = await addAccount({ type: 'LocalSigner', prvkey: nsecEncode(other) });
    expect(await refusal(prove(deps, bad))).toMatchObject({ type: 'SignerPubkeyMismatch' });
  });

  test('an account whose key has moved since is not signed for with what LNbits has now', async () => {
    const account = await addBunkerAccount();
    const deps = dependencies();
    await database.query('UPDATE accounts SET pubkey = $2 WHERE id = $1', [
      account.operatorUserId,
      getPublicKey(generateSecretKey()),
    ]);
    expect(await refusal(prove(deps, account))).toMatchObject({ type: 'SignerPubkeyMismatch' });
    expect(account.bunker.requests).toEqual([]);
  });
});

describe('a signer that was paired here', () => {
  test('goes first where it holds the account’s key, and is passed over where it does not', async () => {
    const account = await addBunkerAccount();
    await pairLocally(account.operatorUserId, account.accountKey);
    await prove(dependencies(), account);
    expect(account.bunker.requests).toEqual([]);
    expect(await checkCurrentSigner({ ...context(), operatorUserId: account.operatorUserId })).toMatchObject({
      from: 'paired',
      kind: 'local',
      matchesAccount: true,
    });

    const old = generateSecretKey();
    secrets.push(old);
    await pairLocally(account.operatorUserId, old);
    await prove(dependencies(), account);
    expect(account.bunker.requests.map(({ method }) => method)).toEqual(['get_public_key', 'nip44_encrypt']);

    // Without `signers: lnbits` nothing is read of LNbits.
    const paired = dependencies({ REPUBLISH_SIGNERS: 'paired' });
    expect(await refusal(prove(paired, account))).toMatchObject({ type: 'SignerPubkeyMismatch' });
    await deleteSigner(database, account.operatorUserId);
    expect(await refusal(prove(paired, account))).toMatchObject({ type: 'SignerNotConfigured' });
  });
});

const context = (env: Record<string, string> = {}) => ({
  database,
  configuration: configured(env),
  say: () => undefined,
});

describe('commands', () => {
  test('list and doctor tell where each operator’s signer comes from, and what is wrong with it', async () => {
    const remote = await addBunkerAccount();
    const key = generateSecretKey();
    const local = await addAccount({ type: 'LocalSigner', prvkey: hexOf(key), key });
    const locked = await addAccount({ type: 'LocalSigner', prvkey: 'gAAAAABcanary' });
    const stored = await addAccount({ type: 'ClientSideOnlySigner' });
    await pairLocally(stored.operatorUserId, stored.accountKey);

    const listed = await listCurrentSigners(context());
    const found = listed.map(({ operatorUserId, signer }) => [
      operatorUserId,
      'kind' in signer ? signer.kind : signer.type,
    ]);
    expect(found.toSorted()).toEqual(
      [
        [remote.operatorUserId, 'lnbits-bunker'],
        [local.operatorUserId, 'lnbits-local'],
        [locked.operatorUserId, 'SignerUnreadable'],
        [stored.operatorUserId, 'local'],
      ].toSorted(),
    );
    expectNoSecret(JSON.stringify(listed));
    expect(remote.bunker.requests).toEqual([]);
    expect(await listCurrentSigners(context({ REPUBLISH_SIGNERS: 'paired' }))).toHaveLength(1);

    const findings = await checkSigners(context(), undefined);
    expectNoSecret(JSON.stringify(findings));
    const statusOf = (subject: string) => findings.find((each) => each.subject === subject);
    expect(statusOf(remote.operatorUserId)).toMatchObject({
      status: 'ok',
      message: expect.stringContaining("LNbits' own signer (lnbits-bunker) answers") as string,
    });
    expect(statusOf(local.operatorUserId)).toMatchObject({ status: 'ok' });
    expect(statusOf(stored.operatorUserId)).toMatchObject({ status: 'ok' });
    expect(statusOf(locked.operatorUserId)).toMatchObject({
      status: 'fail',
      message: expect.stringContaining('prvkey of the account (LocalSigner)') as string,
    });
    // Its subject is where this process's environment has the key from; here the configuration was given.
    expect(findings.find(({ area }) => area === 'secrets key')).toMatchObject({ status: 'ok' });
    expect(remote.bunker.requests.map(({ method }) => method)).toEqual(['get_public_key']);

    const [one] = await checkSigners(context(), remote.operatorUserId);
    expect(one).toMatchObject({ subject: remote.operatorUserId, status: 'ok' });
  });

  test('signer list and signer check on the command line', async () => {
    const remote = await addBunkerAccount();
    const locked = await addAccount({ type: 'ClientSideOnlySigner' });
    const env = {
      DATABASE_URL: databaseUrl,
      REPUBLISH_SECRETS_KEY: secretsKey,
      REPUBLISH_SIGNERS: 'lnbits',
      REPUBLISH_LNBITS_BUNKER_RELAYS: relay.url,
    };
    const listed = await republish(['signer', 'list'], env);
    expect(listed).toMatchObject({ code: 0 });
    expect(listed.stdout).toContain("LNbits' own");
    expect(listed.stdout).toContain('SignerUnreadable');
    const json = await republish(['signer', 'list', '--json'], env);
    expect(JSON.parse(json.stdout)).toContainEqual({
      operatorUserId: remote.operatorUserId,
      from: 'lnbits',
      kind: 'lnbits-bunker',
      pubkey: remote.operatorPubkey,
      bunkerPubkey: remote.operatorPubkey,
      bunkerRelays: [relay.url],
    });
    const checked = await republish(['signer', 'check', remote.operatorUserId], env);
    expect(checked).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(
        `(LNbits' own) answers and signs as ${remote.operatorPubkey}`,
      ) as string,
      stderr: expect.stringContaining('is seen with the first document') as string,
    });
    const unreadable = await republish(['signer', 'check', locked.operatorUserId], env);
    expect(unreadable).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('ClientSideOnlySigner') as string,
    });
    for (const { stdout, stderr } of [listed, json, checked, unreadable]) expectNoSecret(stdout + stderr);
  }, 60_000);

  test('a bunker without configured relays is named with its variable', async () => {
    const account = await addBunkerAccount();
    const error = await refusal(
      checkCurrentSigner({
        ...context({ REPUBLISH_LNBITS_BUNKER_RELAYS: '' }),
        operatorUserId: account.operatorUserId,
      }),
    );
    expect(error).toMatchObject({ type: 'SignerNotConfigured' });
    expect(error.message).toContain('REPUBLISH_LNBITS_BUNKER_RELAYS');
    const nobody = checkCurrentSigner({ ...context(), operatorUserId: 'nobody' });
    expect(await refusal(nobody)).toMatchObject({ type: 'OperatorNotFound' });
  });
});
