import { RepublishError } from '../../contract/failures';
import type { SignedEvent, UnsignedEvent } from '../events';

/** Kind of the event that answers a relay's challenge (NIP-42). */
export const AUTH_KIND = 22242;

/** Who reads and sends, for relays that demand a login. */
export interface RelayIdentity {
  /** Hex. */
  pubkey: string;
  /** Signs the answer to a challenge. A bunker may take minutes. */
  sign(event: UnsignedEvent): Promise<SignedEvent>;
}

/**
 * The result of a login. `failed`: not now, perhaps later. `withheld`: the signer must not be asked, which
 * has the same effect as a refusal.
 */
export type AuthReply = { kind: 'accepted' } | { kind: 'refused' | 'failed' | 'withheld'; reason: string };

/** Thrown by a signer that must not be asked to sign a login. */
export class AuthWithheld extends RepublishError {
  constructor(why: string) {
    super('SignerRefused', why);
  }
}

/** The unsigned answer to a challenge. */
export function authEvent(pubkey: string, relayUrl: string, challenge: string): UnsignedEvent {
  return {
    pubkey,
    kind: AUTH_KIND,
    created_at: Math.floor(Date.now() / 1000),
    tags: [
      ['relay', relayUrl],
      ['challenge', challenge],
    ],
    content: '',
  };
}
