import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { startBunker } from '../../dev/bunker';
import { BunkerClient } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import { startBareRelay } from '../support/bare-relay';

/** A token bucket for the notes of each sender, as relays have it, but faster than theirs. */
function rateLimited(perSecond: number, capacity: number) {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return (pubkey: string): boolean => {
    const nowMs = Date.now();
    const bucket = buckets.get(pubkey) ?? { tokens: capacity, atMs: nowMs };
    bucket.tokens = Math.min(capacity, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond);
    bucket.atMs = nowMs;
    buckets.set(pubkey, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };
}

const REQUESTS = 24;

test("a relay's rate limit paces the requests, and none is lost", async () => {
  const allows = rateLimited(2, 4);
  const clientSecretKey = generateSecretKey();
  let refused = 0;
  const relay = await startBareRelay({
    onEvent(event, peer, self) {
      if (event.pubkey === getPublicKey(clientSecretKey) && !allows(event.pubkey)) {
        refused += 1;
        return peer.send('OK', event.id, false, 'rate-limited: slow down');
      }
      self.keep(event);
      peer.send('OK', event.id, true, '');
    },
  });
  const bunker = await startBunker({ relays: [relay.url], secret: 's' });
  const client = new BunkerClient({
    bunkerPubkey: bunker.signerPubkey,
    relays: [relay.url],
    clientSecretKey,
    // Shorter than a request has to wait for its turn at times: the relay's patience is not the bunker's.
    requestTimeoutMs: 5_000,
    approvalTimeoutMs: 5_000,
    connectTimeoutMs: 20_000,
    limiter: new Limiter(16),
  });
  try {
    await client.connect('s');
    const startedAtMs = Date.now();
    const keys = await Promise.all(Array.from({ length: REQUESTS }, () => client.getPublicKey()));
    expect(new Set(keys)).toEqual(new Set([bunker.userPubkey]));
    expect(bunker.requests.filter(({ method }) => method === 'get_public_key')).toHaveLength(REQUESTS);
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(2 * REQUESTS);
    // It found the limit, not a crawl below it: 24 requests at 2 a second.
    expect(Date.now() - startedAtMs).toBeLessThan(100_000);
  } finally {
    client.close();
    await bunker.stop();
    await relay.stop();
  }
}, 150_000);
