import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import { type BunkerOptions, type DevBunker, startBunker } from '../../dev/bunker';
import { BunkerClient, type BunkerClientOptions } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import { parseBunkerUri } from '../../nostr/bunker/uri';
import type { UnsignedEvent } from '../../nostr/events';
import { fails } from './fails';

/** Long enough for a busy machine; whatever ends sooner ends for another reason. */
const PATIENCE_MS = 8_000;
/** For tests of the deadline itself. */
export const SHORT_MS = 1_000;

export const PLAINTEXT = '{"fixed_fee":1.5,"pin":"canary-4711"}';
export const APPROVAL_URL = 'https://bunker.example/approve/canary-url';
export const machineKey = generateSecretKey();
export const machine = getPublicKey(machineKey);
export const operatorKey = generateSecretKey();
export const operator = getPublicKey(operatorKey);

export const unsigned = (content = 'c'): UnsignedEvent => ({
  pubkey: operator,
  kind: 30078,
  created_at: 1_800_000_000,
  tags: [
    ['d', `fees:${machine}`],
    ['x', 'y'],
  ],
  content,
});

/** The failure of a signer. It must have a type, and must not quote the request. */
export async function refusal(promise: Promise<unknown>): Promise<RepublishError> {
  const error = await fails(RepublishError, promise);
  expect(error.message).not.toMatch(/canary|fixed_fee/);
  return error;
}

export const opened: { close(): void }[] = [];
export const started: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  for (const client of opened.splice(0)) client.close();
  for (const server of started.splice(0).reverse()) await server.stop();
});

export function open(
  options: Omit<Partial<BunkerClientOptions>, 'relays'> & { relays: readonly string[]; bunkerPubkey: string },
) {
  const client = new BunkerClient({
    clientSecretKey: generateSecretKey(),
    requestTimeoutMs: PATIENCE_MS,
    approvalTimeoutMs: PATIENCE_MS,
    connectTimeoutMs: 1_000,
    refusalGraceMs: 30,
    limiter: new Limiter(20),
    ...options,
  });
  opened.push(client);
  return client;
}

/** A bunker for one test, and a client that is paired with it. */
export async function pair(
  relays: string[],
  options: Partial<BunkerOptions> = {},
  clientOptions: Partial<BunkerClientOptions> = {},
): Promise<{ bunker: DevBunker; client: BunkerClient }> {
  const bunker = await startBunker({ relays, userSecretKey: operatorKey, ...options });
  started.push(bunker);
  const client = open({ relays, bunkerPubkey: bunker.signerPubkey, ...clientOptions });
  await client.connect(parseBunkerUri(bunker.uri()).secret);
  return { bunker, client };
}
