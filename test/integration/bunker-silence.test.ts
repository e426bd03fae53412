import { setTimeout as sleep } from 'node:timers/promises';
import { type BunkerOptions, type DevBunker, startBunker } from '../../dev/bunker';
import { type DevRelay, startRelay } from '../../dev/relay';
import { BunkerClient } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import { tellingSilence } from '../../nostr/bunker/silence';
import { generateSecretKey, getPublicKey } from '../../nostr/keys';
import { probeDocument } from '../../nostr/signers/prove';
import type { OpenedSigner } from '../../nostr/signers/signer';

/** Time enough for an answer in a process that has to wait for the processor. */
const TIMEOUT_MS = 5_000;

describe('a bunker that is silent', () => {
  let relay: DevRelay;
  const opened: { signer: OpenedSigner; bunker: DevBunker }[] = [];

  beforeAll(async () => {
    relay = await startRelay();
  });
  afterAll(async () => {
    for (const { signer, bunker } of opened) {
      signer.close();
      await bunker.stop();
    }
    await relay.stop();
  });

  async function open(faults: BunkerOptions['faults']) {
    const clientSecretKey = generateSecretKey();
    const relays = [relay.url];
    const bunker = await startBunker({
      relays,
      knownClients: [getPublicKey(clientSecretKey)],
      ...(faults === undefined ? {} : { faults }),
    });
    const client = new BunkerClient({
      bunkerPubkey: bunker.signerPubkey,
      relays,
      clientSecretKey,
      requestTimeoutMs: TIMEOUT_MS,
      approvalTimeoutMs: TIMEOUT_MS,
      connectTimeoutMs: 20_000,
      limiter: new Limiter(8),
    });
    const signer = tellingSilence(client, TIMEOUT_MS);
    opened.push({ signer, bunker });
    const sign = (signal?: AbortSignal) => signer.signEvent(probeDocument(bunker.userPubkey), { signal });
    const pings = () => bunker.requests.filter(({ method }) => method === 'ping').length;
    return { signer, bunker, sign, pings };
  }

  test('is not pinged while it answers other requests', async () => {
    const { signer, bunker, sign, pings } = await open(({ method }) => ({
      swallow: method === 'sign_event',
    }));
    let ended = false;
    const refused = expect(sign()).rejects.toMatchObject({
      type: 'SignerTimeout',
      message: expect.stringContaining('it answers other requests'),
    });
    const others = (async () => {
      while (!ended) {
        await signer.nip44Encrypt(bunker.userPubkey, 'text');
        await sleep(20);
      }
    })();
    await Promise.all([refused.finally(() => (ended = true)), others]);
    expect(pings()).toBe(0);
  });

  test('is pinged once for all that wait, and for those of the next while', async () => {
    const { sign, pings } = await open(({ method }) => ({ swallow: method !== 'ping' }));
    const all = await Promise.allSettled([sign(), sign(), sign()]);
    all.push(...(await Promise.allSettled([sign()])));
    for (const one of all)
      expect(one).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringContaining('it answers a ping') as string },
      });
    expect(pings()).toBe(1);
  });

  test('whoever gives up waits for no ping', async () => {
    const giveUp = new AbortController();
    const { sign, pings } = await open(({ method }) => {
      if (method === 'ping') giveUp.abort();
      return { swallow: true };
    });
    const refused = expect(sign(giveUp.signal)).rejects.toMatchObject({
      type: 'SignerTimeout',
      message: `the bunker did not answer sign_event within ${TIMEOUT_MS} ms`,
    });
    await refused;
    expect(pings()).toBe(1);
  });

  test('is not pinged where what it says cannot be read', async () => {
    const { sign, pings } = await open(() => ({ rawPayload: 'no ciphertext' }));
    await expect(sign()).rejects.toMatchObject({
      message: expect.stringContaining('unreadable messages came in its name'),
    });
    expect(pings()).toBe(0);
  });
});
