import WebSocket from 'ws';
import type { SignedEvent } from '../nostr/events';
import { getPublicKey } from '../nostr/keys';
import { decrypt, encrypt, getConversationKey } from '../nostr/nip44';
import { loadSchnorr, signWith } from '../nostr/schnorr';
import { childArguments, countedBy, tellReady } from './child';

/**
 * A bunker with a fixed latency: each answer leaves that time after its request, however many requests there
 * are. So the latency limits the bench, not this process. It accepts any client, because each operator of the
 * bench is one.
 */
export interface BunkerArguments {
  relay: string;
  latencyMs: number;
  userSecretKey: string;
  signerSecretKey: string;
}

/** The requests since the start. */
export interface BunkerCounts {
  /** Requests by method. */
  requests: Record<string, number>;
  /** The time in which at least one request had no answer: the client has waited at least so long. */
  busyMs: number;
}

const { relay, latencyMs, userSecretKey, signerSecretKey } = childArguments<BunkerArguments>();
const userKey = new Uint8Array(Buffer.from(userSecretKey, 'hex'));
const signerKey = new Uint8Array(Buffer.from(signerSecretKey, 'hex'));
const userPubkey = getPublicKey(userKey);
const signerPubkey = getPublicKey(signerKey);

const keys = new Map<string, Uint8Array>();
function conversationKey(secretKey: Uint8Array, peer: string): Uint8Array {
  const key = keys.get(peer) ?? getConversationKey(secretKey, peer);
  keys.set(peer, key);
  return key;
}

function perform(method: string, params: string[]): string {
  if (method === 'connect') return 'ack';
  if (method === 'get_public_key') return userPubkey;
  if (method === 'nip44_encrypt') return encrypt(params[1] ?? '', conversationKey(userKey, params[0] ?? ''));
  if (method === 'sign_event') {
    const template = JSON.parse(params[0] ?? '') as SignedEvent;
    return JSON.stringify(signWith(userKey, template));
  }
  return method === 'ping' ? 'pong' : 'null';
}

const requests: Record<string, number> = {};
let unanswered = 0;
let busyMs = 0;
let busySinceMs = 0;

function begun(atMs: number): void {
  if (unanswered === 0) busySinceMs = atMs;
  unanswered += 1;
}

function answered(): void {
  unanswered -= 1;
  if (unanswered === 0) busyMs += performance.now() - busySinceMs;
}

function answerTo(request: SignedEvent): string {
  const key = conversationKey(signerKey, request.pubkey);
  const { id, method, params } = JSON.parse(decrypt(request.content, key)) as {
    id: string;
    method: string;
    params: string[];
  };
  requests[method] = (requests[method] ?? 0) + 1;
  const answer = signWith(signerKey, {
    kind: 24133,
    created_at: Math.floor(Date.now() / 1000),
    tags: [['p', request.pubkey]],
    content: encrypt(JSON.stringify({ id, result: perform(method, params) }), key),
  });
  return JSON.stringify(['EVENT', answer]);
}

function serve(): void {
  loadSchnorr();
  countedBy((): BunkerCounts => ({ requests, busyMs }));
  const socket = new WebSocket(relay, { perMessageDeflate: false });
  socket.on('open', () => {
    socket.send(JSON.stringify(['REQ', 'bunker', { kinds: [24133], '#p': [signerPubkey], limit: 0 }]));
  });
  socket.on('message', (data) => {
    const arrivedAtMs = performance.now();
    const [verb, , event] = JSON.parse(String(data)) as [string, string, SignedEvent | undefined];
    if (verb === 'EOSE') tellReady({ userPubkey, signerPubkey });
    if (verb !== 'EVENT' || event === undefined) return;
    begun(arrivedAtMs);
    const answer = answerTo(event);
    setTimeout(
      () => {
        socket.send(answer);
        answered();
      },
      arrivedAtMs + latencyMs - performance.now(),
    );
  });
}

serve();
