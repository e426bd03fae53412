import type { Event } from 'nostr-tools/core';
import { encrypt as nip04Encrypt } from 'nostr-tools/nip04';
import { encrypt as nip44Encrypt, getConversationKey } from 'nostr-tools/nip44';

/** A NIP-46 request after its decryption. */
export interface BunkerRequest {
  /** The request id of the client. Another client may use the same id. */
  readonly id: string;
  readonly method: string;
  readonly params: readonly string[];
  readonly clientPubkey: string;
  /** Id of its kind-24133 event. */
  readonly eventId: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** The content of an answer's kind-24133 event (NIP-46). */
export interface BunkerAnswer {
  id: string;
  result: string;
  error?: string;
}

/** The fault of one request. Fields can be combined: `{ delayMs, error }`, `{ duplicate, result }`. */
export interface FaultAction {
  /** The request gets no answer and has no effect. */
  swallow?: boolean;
  /** Added to the bunker's answerDelayMs. */
  delayMs?: number;
  /** The answer is this error. The request has no effect. */
  error?: string;
  /** The content of the answer's event, in place of the ciphertext. */
  rawPayload?: string;
  /** The plaintext of the answer, in place of its JSON. */
  rawJson?: string;
  /** The result of the answer. */
  result?: string;
  /** sign_event: changes the event after it was signed. */
  mutateEvent?: (signed: Event) => Event;
  /** sign_event: signs with this secret key, so the event has another author. */
  signWith?: Uint8Array;
  /** nip44_encrypt: encrypts with this secret key, as a bunker does that only has its bunker key. */
  encryptWith?: Uint8Array;
  /** nip44_encrypt: encrypts this text in place of the given one. */
  encryptText?: string;
  /**
   * Asks for approval at this URL first. With several URLs it asks several times, with the same request id.
   */
  authUrl?: string | readonly string[];
  /** After authUrl: the answer, or nothing, as when nobody approves. Default: the answer. */
  then?: 'answer' | 'nothing';
  /** Milliseconds between authUrl or refusedBefore and the answer. */
  afterMs?: number;
  /** As `afterMs`, for a test that says when: the answer waits for it. */
  after?: Promise<unknown>;
  /** First an answer with this error, as from a second bunker with the same key, then the real answer. */
  refusedBefore?: string;
  /** The answer is sent again so many times, each time in another event. */
  duplicate?: number;
  /** The answer is encrypted with NIP-04, as older bunkers did. */
  nip04?: boolean;
  /** get_public_key: the answer is this key (hex). */
  reportPubkey?: string;
}

/**
 * Called once for each request, in the order in which they arrive.
 *
 * @param index 0 for the first request since the bunker started
 * @returns undefined: a proper answer
 */
export type BunkerFault = (
  request: BunkerRequest,
  index: number,
) => FaultAction | undefined | Promise<FaultAction | undefined>;

/** The contents of the kind-24133 events for an answer: one, or more with `duplicate`. */
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
 * The conversation key (NIP-44), cached: it takes longer than the encryption, and each request needs it
 * twice.
 */
export function conversationKeyOf(secretKey: Uint8Array, otherPubkey: string): Uint8Array {
  const known = conversationKeys.get(secretKey) ?? new Map<string, Uint8Array>();
  conversationKeys.set(secretKey, known);
  const key = known.get(otherPubkey) ?? getConversationKey(secretKey, otherPubkey);
  known.set(otherPubkey, key);
  return key;
}
