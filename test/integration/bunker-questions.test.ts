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
    await untilAnswers(client);
    return { bunker, client, another: () => open(20_000) };
  }

  /** On a busy machine one answer may come after the deadline. */
  const untilAnswers = (client: BunkerClient): Promise<void> =>
    until(() =>
      client.getPublicKey().then(
        () => true,
        () => false,
      ),
    );
  const event = ({ userPubkey }: DevBunker): UnsignedEvent => ({
    pubkey: userPubkey,
    kind: 30078,
    created_at: 1_800_000_000,
    tags: [],
    content: 'c',
  });
  /** A fault that lets the answers to this method wait until the test gives them. */
  function holding(method: string) {
    let give: () => void = () => undefined;
    const after = new Promise<void>((resolve) => (give = resolve));
    const faults = (request: { method: string }) => (request.method === method ? { after } : undefined);
    return { faults, give: () => give() };
  }
  const asked = (bunker: DevBunker, method: string) =>
    bunker.requests.filter((request) => request.method === method);
  const idsOf = (bunker: DevBunker, method: string): string[] => [
    ...new Set(asked(bunker, method).map(({ id }) => id)),
  ];

  test('is not asked anew after its deadline: the late answer is taken, whenever it comes', async () => {
    const { bunker, client } = await pair();
    const held = holding('sign_event');
    bunker.setFaults(held.faults);
    const late = await fails(RepublishError, client.signEvent(event(bunker), call()));
    expect(late.type).toBe('SignerTimeout');
    expect(late.message).toContain('perhaps a person has to approve it there');
    // Nobody waits when it comes. It has come when a later answer has.
    await until(() => client.isAwaited && asked(bunker, 'sign_event').length > 0);
    held.give();
    await untilAnswers(client);
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
    const held = holding('nip44_encrypt');
    bunker.setFaults(held.faults);
    let ciphertext: string | undefined;
    for (let attempt = 0; ciphertext === undefined && attempt < 30; attempt += 1) {
      if (agoMs.length > 2 && (agoMs.at(-1) ?? 0) >= 2 * DEADLINE_MS - 50) held.give();
      ciphertext = await client.nip44Encrypt(bunker.userPubkey, 'text', watched).catch((thrown: unknown) => {
        expect(thrown).toMatchObject({ type: 'SignerTimeout' });
        return undefined;
      });
    }
    expect(ciphertext).toEqual(expect.any(String));
    expect(agoMs.length).toBeGreaterThan(2);
    expect(agoMs.at(-1)).toBeGreaterThanOrEqual(2 * DEADLINE_MS - 50);
    const requests = asked(bunker, 'nip44_encrypt');
    expect(idsOf(bunker, 'nip44_encrypt')).toHaveLength(1);
    // After one deadline, after four and after sixteen, as far as it went.
    expect(requests.length).toBeGreaterThanOrEqual(2);
    expect(requests.length).toBeLessThanOrEqual(4);
    expect(new Set(requests.map(({ eventId }) => eventId)).size).toBe(requests.length);
  });

  test('is the same for a worker that comes after a crash, and another with another number', async () => {
    const { bunker, another } = await pair({ remembersIds: true });
    bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'signer is busy' } : undefined));
    const busy = async (signer: BunkerClient, n: number): Promise<void> =>
      expect(await fails(RepublishError, signer.signEvent(event(bunker), call(n)))).toMatchObject({
        type: 'SignerBusy',
      });
    await busy(another(), 0);
    bunker.setFaults(undefined);
    // What was answered once is repeated for ever.
    await busy(another(), 0);
    expect(idsOf(bunker, 'sign_event')).toHaveLength(1);
    expect(await another().signEvent(event(bunker), call(1))).toMatchObject({ content: 'c' });
    expect(idsOf(bunker, 'sign_event')).toHaveLength(2);
  });

  test('that was lost is sent again when the bunker has answered what was sent later', async () => {
    const { bunker, client } = await pair({}, { requestTimeoutMs: 3 * DEADLINE_MS });
    const ask = (text: string): Promise<string> => client.nip44Encrypt(bunker.userPubkey, text, call());
    const untilAnswered = (text: string): Promise<void> =>
      until(() =>
        ask(text).then(
          () => true,
          () => false,
        ),
      );
    let lost = 0;
    bunker.setFaults(({ method, params }) =>
      method === 'nip44_encrypt' && params[1] === 'first' && ++lost <= 2 ? { swallow: true } : undefined,
    );
    // The second time it is sent since its time was over.
    for (let attempt = 0; attempt < 2; attempt += 1)
      expect(await fails(RepublishError, ask('first'))).toMatchObject({ type: 'SignerTimeout' });
    expect(lost).toBe(2);
    await untilAnswered('second');
    // Long before it would be sent once more by the clock.
    await untilAnswered('first');
    expect(lost).toBeGreaterThanOrEqual(3);
  });

  test('that its caller left is still answered, and holds nobody up', async () => {
    const { bunker, another } = await pair();
    const client = another();
    const page = new AbortController();
    let approve: () => void = () => undefined;
    const approved = new Promise<void>((resolve) => (approve = resolve));
    bunker.setFaults(({ method }) =>
      method === 'nip44_encrypt' ? { authUrl: PAGE, after: approved } : undefined,
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
    approve();
    expect(await client.nip44Encrypt(bunker.userPubkey, 'text', call())).toEqual(expect.any(String));
    expect(asked(bunker, 'nip44_encrypt')).toHaveLength(1);
  });

  test('44: refused by one signer and answered by another, it is answered', async () => {
    const { bunker, another } = await pair({}, { refusalGraceMs: 30_000 });
    bunker.setFaults(({ method }) =>
      method === 'sign_event' ? { refusedBefore: 'unauthorized', afterMs: 100 } : undefined,
    );
    expect(await another().signEvent(event(bunker), call())).toMatchObject({ content: 'c' });
    expect(asked(bunker, 'sign_event')).toHaveLength(1);
  });

  test('a probe waits for a person where the bunker has answered before, once', async () => {
    const { bunker, client } = await pair({}, { approvalTimeoutMs: 8 * DEADLINE_MS });
    bunker.setFaults(({ method }) => (method === 'nip44_encrypt' ? { delayMs: 2 * DEADLINE_MS } : undefined));
    const patient = { patient: true };
    const probe = (): Promise<string> => client.nip44Encrypt(bunker.userPubkey, 'probe', patient);
    expect(await probe()).toEqual(expect.any(String));
    bunker.setFaults(({ method }) => (method === 'nip44_encrypt' ? { swallow: true } : undefined));
    expect((await fails(RepublishError, probe())).message).toContain(
      `within ${8 * DEADLINE_MS} ms; perhaps a person has to approve it there`,
    );
    await untilAnswers(client);
    const error = await fails(RepublishError, probe());
    expect(error.message).toBe(`the bunker did not answer nip44_encrypt within ${DEADLINE_MS} ms`);
  });
});
