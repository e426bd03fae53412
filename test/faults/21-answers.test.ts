import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { decrypt, encrypt, getConversationKey } from 'nostr-tools/nip44';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { BunkerClient } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import type { SignedEvent } from '../../nostr/events';
import { startBareRelay } from '../support/bare-relay';
import { until } from '../support/until';

const BUNKER_KIND = 24133;
/** Requests under way at once, half of them from each of two workers. */
const COUNT = 6;
const everyRequest = Array.from({ length: COUNT }, (_, index) => index);

interface Request {
  id: string;
  params: [string, string];
}

test('21: whatever the order and whatever comes between, each of two workers on one client key gets its own answers', async () => {
  const bunkerKey = generateSecretKey();
  const operatorKey = generateSecretKey();
  const operator = getPublicKey(operatorKey);
  const machineKey = generateSecretKey();
  const machine = getPublicKey(machineKey);
  const clientSecretKey = generateSecretKey();
  const relay = await startBareRelay({ onEvent: () => undefined });
  const newClient = (): BunkerClient =>
    new BunkerClient({
      relays: [relay.url],
      bunkerPubkey: getPublicKey(bunkerKey),
      clientSecretKey,
      requestTimeoutMs: 60_000,
      approvalTimeoutMs: 60_000,
      connectTimeoutMs: 20_000,
      limiter: new Limiter(COUNT),
    });
  const clientPubkey = getPublicKey(clientSecretKey);
  const conversationKey = getConversationKey(bunkerKey, clientPubkey);
  const operatorToMachine = getConversationKey(operatorKey, machine);

  const event = (content: string, fields: Partial<SignedEvent> = {}): SignedEvent => ({
    id: randomBytes(32).toString('hex'),
    sig: randomBytes(64).toString('hex'),
    pubkey: getPublicKey(bunkerKey),
    kind: BUNKER_KIND,
    created_at: Math.floor(Date.now() / 1000),
    tags: [['p', clientPubkey]],
    content,
    ...fields,
  });
  const sealed = (message: unknown): SignedEvent => event(encrypt(JSON.stringify(message), conversationKey));
  const answerTo = ({ id, params }: Request): unknown => ({
    id,
    result: encrypt(params[1], operatorToMachine),
  });
  const forged = (request: Request, fields: Partial<SignedEvent>): SignedEvent =>
    event(sealed(answerTo({ ...request, params: ['', 'forged'] })).content, fields);
  const noise: Record<string, (request: Request) => SignedEvent> = {
    duplicate: (request) => sealed(answerTo(request)),
    'stale id': (request) => sealed({ ...(answerTo(request) as object), id: randomUUID() }),
    undecryptable: () => event('garbage'),
    'not JSON': () => event(encrypt('hello', conversationKey)),
    'no answer': ({ id }) => sealed({ id }),
    'auth_url without a page': ({ id }) => sealed({ id, result: 'auth_url', error: 'nonsense' }),
    'another author': (request) => forged(request, { pubkey: operator }),
    'another kind': (request) => forged(request, { kind: 1 }),
    'another key': ({ id }) => event(encrypt(JSON.stringify({ id, error: 'forged' }), randomBytes(32))),
  };
  const plan = fc.record({
    order: fc.shuffledSubarray(everyRequest, { minLength: COUNT }),
    extras: fc.array(
      fc.record({ what: fc.constantFrom(...Object.keys(noise)), of: fc.nat(COUNT - 1), at: fc.nat() }),
      { maxLength: 12 },
    ),
  });

  try {
    await fc.assert(
      fc.asyncProperty(plan, async ({ order, extras }) => {
        relay.received.length = 0;
        // New ones: after a hundred messages that it cannot read a client leaves the relay for a while.
        const clients = [newClient(), newClient()];
        const texts = everyRequest.map(() => randomUUID());
        const results = texts.map((text, index) => clients[index % 2]!.nip44Encrypt(machine, text));
        // The relay says no OK: a client that waited long, because the machine is busy, sends a copy.
        const requestsById = (): Map<string, Request> =>
          new Map(
            relay.received
              .filter(([type]) => type === 'EVENT')
              .map(
                ([, sent]) => JSON.parse(decrypt((sent as SignedEvent).content, conversationKey)) as Request,
              )
              .map((request) => [request.id, request]),
          );
        await until(() => relay.countOf('EVENT') >= COUNT && requestsById().size === COUNT);
        const requests = [...requestsById().values()];
        const frames = order.map((index) => sealed(answerTo(requests[index] as Request)));
        for (const { what, of, at } of extras) {
          frames.splice(at % (frames.length + 1), 0, noise[what]!(requests[of] as Request));
        }
        // To both workers, each of which hears the other's answers too; an honest relay would filter some of
        // the noise.
        for (const frame of frames) relay.push(frame);
        const key = getConversationKey(machineKey, operator);
        try {
          expect((await Promise.all(results)).map((result) => decrypt(result, key))).toEqual(texts);
        } finally {
          for (const client of clients) client.close();
        }
      }),
      { numRuns: 40 },
    );
  } finally {
    await relay.stop();
  }
}, 120_000);
