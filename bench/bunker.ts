import WebSocket from 'ws';
import type { SignedEvent } from '../nostr/events';
import { getPublicKey } from '../nostr/keys';
import { decrypt, encrypt, getConversationKey } from '../nostr/nip44';
import { loadSchnorr, signWith } from '../nostr/schnorr';
import { childArguments, tellReady } from './child';

/**
 * A bunker whose answers leave the same time after their requests have come, however many it has: it does its work within
 * that time, so that what limits the bench is the latency, and not this process. Any client is let in, since each operator of
 * the bench is one.
 */
export interface BunkerArguments {
  relay: string;
  latencyMs: number;
  userSecretKey: string;
  signerSecretKey: string;
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

function answerTo(request: SignedEvent): string {
  const key = conversationKey(signerKey, request.pubkey);
  const { id, method, params } = JSON.parse(decrypt(request.content, key)) as {
    id: string;
    method: string;
    params: string[];
  };
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
  const socket = new WebSocket(relay, { perMessageDeflate: false });
  socket.on('open', () => {
    socket.send(JSON.stringify(['REQ', 'bunker', { kinds: [24133], '#p': [signerPubkey], limit: 0 }]));
  });
  socket.on('message', (data) => {
    const arrivedAtMs = performance.now();
    const [verb, , event] = JSON.parse(String(data)) as [string, string, SignedEvent | undefined];
    if (verb === 'EOSE') tellReady({ userPubkey, signerPubkey });
    if (verb !== 'EVENT' || event === undefined) return;
    const answer = answerTo(event);
    setTimeout(() => socket.send(answer), arrivedAtMs + latencyMs - performance.now());
  });
}

serve();
