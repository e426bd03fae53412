import type { Event } from 'nostr-tools/core';
import { encrypt as nip04Encrypt } from 'nostr-tools/nip04';
import { encrypt as nip44Encrypt, getConversationKey } from 'nostr-tools/nip44';

/** A request as the bunker decrypted it (NIP-46). */
export interface BunkerRequest {
  /** The client's request id, unique only for that client. */
  readonly id: string;
  readonly method: string;
  readonly params: readonly string[];
  readonly clientPubkey: string;
  /** Of the kind-24133 event it came in. */
  readonly eventId: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** The answer inside the kind-24133 event (NIP-46). */
export interface BunkerAnswer {
  id: string;
  result: string;
  error?: string;
}

/**
 * What goes wrong with one request. Fields combine where that makes sense: `{ delayMs, error }`, `{
 * duplicate, result }`.
 */
export interface FaultAction {
  /** The request is heard and never answered; it has no effect either. */
  swallow?: boolean;
  /** Added to the bunker's own answerDelayMs. */
  delayMs?: number;
  /** Answered with this error; the request has no effect. */
  error?: string;
  /** The content of the answer's event, in place of the ciphertext. */
  rawPayload?: string;
  /** Encrypted in place of the JSON answer. */
  rawJson?: string;
  /** The result of an otherwise proper answer. */
  result?: string;
  /** sign_event: changes the event after it was signed. */
  mutateEvent?: (signed: Event) => Event;
  /** sign_event: signs with this secret key, so that the event names and proves another author. */
  signWith?: Uint8Array;
  /** nip44_encrypt: encrypts with this secret key, as a bunker does that has only its own. */
  encryptWith?: Uint8Array;
  /** nip44_encrypt: encrypts this in place of what it was given. */
  encryptText?: string;
  /** Asks for approval at this URL first; several URLs ask several times under the same request id. */
  authUrl?: string | readonly string[];
  /** After authUrl: the answer (the default), or nothing, as when nobody approves. */
  then?: 'answer' | 'nothing';
  /** Milliseconds between authUrl or refusedBefore and the answer. */
  afterMs?: number;
  /** As `afterMs`, for a test that says when: the answer waits for it. */
  after?: Promise<unknown>;
  /** Refused with this at once, as by a second signer on the same key; then answered. */
  refusedBefore?: string;
  /** The answer is sent this many times more, each time in an event of its own. */
  duplicate?: number;
  /** The answer is encrypted with NIP-04, as older bunkers did. */
  nip04?: boolean;
  /** get_public_key: reports this key (hex). */
  reportPubkey?: string;
}

/**
 * Asked once for every request, in the order they arrive.
 *
 * @param index 0 for the first request the bunker heard since it started
 * @returns what goes wrong, or undefined for a proper answer
 */
export type BunkerFault = (
  request: BunkerRequest,
  index: number,
) => FaultAction | undefined | Promise<FaultAction | undefined>;

/** Turns an answer into the contents of the kind-24133 events to send: one, or more with `duplicate`. */
export function answerContents(
  answer: BunkerAnswer,
  action: FaultAction,
  signerSecretKey: Uint8Array,
  clientPubkey: string,
): string[] {
  const text =
    action.rawJson ??
    JSON.stringify(action.result === undefined ? answer : withResult(answer, action.result));
  return Array.from({ length: 1 + (action.duplicate ?? 0) }, () => {
    if (action.rawPayload !== undefined) return action.rawPayload;
    if (action.nip04) return nip04Encrypt(signerSecretKey, clientPubkey, text);
    return nip44Encrypt(text, conversationKeyOf(signerSecretKey, clientPubkey));
  });
}

function withResult(answer: BunkerAnswer, result: string): BunkerAnswer {
  return { id: answer.id, result };
}

const conversationKeys = new WeakMap<Uint8Array, Map<string, Uint8Array>>();

/**
 * NIP-44's shared key, kept: computing it costs more than the encryption, and every request needs it twice.
 */
export function conversationKeyOf(secretKey: Uint8Array, otherPubkey: string): Uint8Array {
  const known = conversationKeys.get(secretKey) ?? new Map<string, Uint8Array>();
  conversationKeys.set(secretKey, known);
  const key = known.get(otherPubkey) ?? getConversationKey(secretKey, otherPubkey);
  known.set(otherPubkey, key);
  return key;
}
