import { setTimeout as sleep } from 'node:timers/promises';
import { generateSecretKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import { type BunkerOptions, type DevBunker, startBunker } from '../../dev/bunker';
import { type DevRelay, startRelay } from '../../dev/relay';
import { BunkerClient, type BunkerClientOptions } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import type { UnsignedEvent } from '../../nostr/events';
import type { SignerCall } from '../../nostr/signers/signer';
import { fails } from '../support/fails';
import { until } from '../support/until';

const PAGE = 'https://bunker.example/approve';
const DEADLINE_MS = 1_000;
const call = (n = 0): SignerCall => ({ question: { runId: 'run', n } });

/** Questions of a run: a repeated question has the same id and gets the same answer. */
describe('a question of a run', () => {
  let relay: DevRelay;
  const opened: { close(): void }[] = [];
  const started: { stop(): Promise<void> }[] = [];

  beforeAll(async () => void (relay = await startRelay()));
  afterEach(async () => {
    for (const client of opened.splice(0)) client.close();
    for (const server of started.splice(0)) await server.stop();
  });
  afterAll(() => relay.stop());

  async function pair(
    options: Partial<BunkerOptions> = {},
    clientOptions: Partial<BunkerClientOptions> = {},
  ): Promise<{ bunker: DevBunker; client: BunkerClient; another: () => BunkerClient }> {
    const clientSecretKey = generateSecretKey();
    const bunker = await startBunker({ relays: [relay.url], secret: 's', ...options });
    started.push(bunker);
    const open = (requestTimeoutMs: number): BunkerClient => {
      const client = new BunkerClient({
        bunkerPubkey: bunker.signerPubkey,
        relays: [relay.url],
        clientSecretKey,
        requestTimeoutMs,
        approvalTimeoutMs: 20_000,
        connectTimeoutMs: 5_000,
        limiter: new Limiter(8),
        ...clientOptions,
      });
      opened.push(client);
      return client;
    };
    // Patient: only what is tested is short of time.
    await open(20_000).connect('s');
    const client = open(DEADLINE_MS);
    await until(() =>
      client.getPublicKey().then(
        () => true,
        () => false,
      ),
    );
    return { bunker, client, another: () => open(20_000) };
  }

  const event = ({ userPubkey }: DevBunker): UnsignedEvent => ({
    pubkey: userPubkey,
    kind: 30078,
    created_at: 1_800_000_000,
    tags: [],
    content: 'c',
  });
  const asked = (bunker: DevBunker, method: string) =>
    bunker.requests.filter((request) => request.method === method);
  const idsOf = (bunker: DevBunker, method: string): string[] => [
    ...new Set(asked(bunker, method).map(({ id }) => id)),
  ];

  test('is not asked anew after its deadline: the late answer is taken, whenever it comes', async () => {
    const { bunker, client } = await pair();
    bunker.setFaults(({ method }) =>
      method === 'sign_event' ? { delayMs: 2 * DEADLINE_MS + 100 } : undefined,
    );
    const late = await fails(RepublishError, client.signEvent(event(bunker), call()));
    expect(late.type).toBe('SignerTimeout');
    expect(late.message).toContain('perhaps a person has to approve it there');
    // Nobody waits when it comes.
    await until(() => client.isAwaited && asked(bunker, 'sign_event').length > 0);
    await sleep(2 * DEADLINE_MS);
    bunker.pause();
    expect(await client.signEvent(event(bunker), call())).toMatchObject({ content: 'c' });
    expect(asked(bunker, 'sign_event')).toHaveLength(1);
    // And again, where the first could not write it down.
    expect(await client.signEvent(event(bunker), call())).toMatchObject({ content: 'c' });
    expect(asked(bunker, 'sign_event')).toHaveLength(1);
    expect(client.isAwaited).toBe(false);
  });

  test('that is open is joined; a copy has the same id and another event', async () => {
    const { bunker, client } = await pair();
    const agoMs: number[] = [];
    const watched = { ...call(), onAsked: (ms: number) => void agoMs.push(ms) };
    bunker.setFaults(({ method }) => (method === 'nip44_encrypt' ? { delayMs: 5 * DEADLINE_MS } : undefined));
    let ciphertext: string | undefined;
    for (let attempt = 0; ciphertext === undefined && attempt < 30; attempt += 1)
      ciphertext = await client.nip44Encrypt(bunker.userPubkey, 'text', watched).catch((thrown: unknown) => {
        expect(thrown).toMatchObject({ type: 'SignerTimeout' });
        return undefined;
      });
    expect(ciphertext).toEqual(expect.any(String));
    expect(agoMs.length).toBeGreaterThan(2);
    expect(agoMs.at(-1)).toBeGreaterThanOrEqual(2 * DEADLINE_MS - 50);
    const requests = asked(bunker, 'nip44_encrypt');
    expect(idsOf(bunker, 'nip44_encrypt')).toHaveLength(1);
    // After one deadline and after four, as far as it went.
    expect(requests.length).toBeGreaterThanOrEqual(2);
    expect(requests.length).toBeLessThanOrEqual(3);
    expect(new Set(requests.map(({ eventId }) => eventId)).size).toBe(requests.length);
  });

  test('is the same for a worker that comes after a crash, and another with another number', async () => {
    const { bunker, client, another } = await pair({ remembersIds: true });
    bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'signer is busy' } : undefined));
    const busy = async (signer: BunkerClient, n: number): Promise<void> =>
      expect(await fails(RepublishError, signer.signEvent(event(bunker), call(n)))).toMatchObject({
        type: 'SignerBusy',
      });
    await busy(client, 0);
    bunker.setFaults(undefined);
    // What was answered once is repeated for ever.
    await busy(another(), 0);
    expect(idsOf(bunker, 'sign_event')).toHaveLength(1);
    expect(await another().signEvent(event(bunker), call(1))).toMatchObject({ content: 'c' });
    expect(idsOf(bunker, 'sign_event')).toHaveLength(2);
  });

  test('that was lost is sent again when the bunker has answered what was sent later', async () => {
    const { bunker, client } = await pair();
    const ask = (text: string): Promise<string> => client.nip44Encrypt(bunker.userPubkey, text, call());
    let lost = 0;
    bunker.setFaults(({ method, params }) =>
      method === 'nip44_encrypt' && params[1] === 'first' && ++lost <= 2 ? { swallow: true } : undefined,
    );
    // The second time it is sent since its time was over.
    for (let attempt = 0; attempt < 2; attempt += 1)
      expect(await fails(RepublishError, ask('first'))).toMatchObject({ type: 'SignerTimeout' });
    expect(lost).toBe(2);
    await ask('second');
    // Long before it would be sent once more by the clock.
    expect(await ask('first')).toEqual(expect.any(String));
    expect(lost).toBe(3);
  });

  test('that its caller left is still answered, and holds nobody up', async () => {
    const { bunker, client } = await pair();
    const page = new AbortController();
    bunker.setFaults(({ method }) =>
      method === 'nip44_encrypt' ? { authUrl: PAGE, afterMs: 300 } : undefined,
    );
    const shown: (string | undefined)[] = [];
    const left = client.nip44Encrypt(bunker.userPubkey, 'text', {
      ...call(),
      signal: page.signal,
      onApproval: (url) => {
        shown.push(url);
        if (url !== undefined) page.abort(new Error('the page yields'));
      },
    });
    await expect(left).rejects.toThrow('the page yields');
    expect(shown).toEqual([PAGE, undefined]);
    // Another run is not kept waiting for a person that it does not need.
    bunker.setFaults(undefined);
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
    expect(await client.nip44Encrypt(bunker.userPubkey, 'text', call())).toEqual(expect.any(String));
    expect(asked(bunker, 'nip44_encrypt')).toHaveLength(1);
  });

  test('44: refused by one signer and answered by another, it is answered', async () => {
    const { bunker, client } = await pair({}, { refusalGraceMs: 3_000 });
    bunker.setFaults(({ method }) =>
      method === 'sign_event' ? { refusedBefore: 'unauthorized', afterMs: 100 } : undefined,
    );
    expect(await client.signEvent(event(bunker), call())).toMatchObject({ content: 'c' });
    expect(asked(bunker, 'sign_event')).toHaveLength(1);
  });

  test('a probe waits for a person where the bunker has answered before, once', async () => {
    const { bunker, client } = await pair({}, { approvalTimeoutMs: 4 * DEADLINE_MS });
    bunker.setFaults(({ method }) => (method === 'nip44_encrypt' ? { delayMs: 2 * DEADLINE_MS } : undefined));
    const patient = { patient: true };
    const probe = (): Promise<string> => client.nip44Encrypt(bunker.userPubkey, 'probe', patient);
    expect(await probe()).toEqual(expect.any(String));
    bunker.setFaults(({ method }) => (method === 'nip44_encrypt' ? { swallow: true } : undefined));
    expect((await fails(RepublishError, probe())).message).toContain(
      `within ${4 * DEADLINE_MS} ms; perhaps a person has to approve it there`,
    );
    await client.getPublicKey();
    const error = await fails(RepublishError, probe());
    expect(error.message).toBe(`the bunker did not answer nip44_encrypt within ${DEADLINE_MS} ms`);
  });
});
