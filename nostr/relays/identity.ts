import { RepublishError } from '../../contract/failures';
import type { SignedEvent, UnsignedEvent } from '../events';

/** Answer to a relay's challenge (NIP-42). */
export const AUTH_KIND = 22242;

/** Whoever reads and publishes, for relays that want to know. */
export interface RelayIdentity {
  /** Hex. */
  pubkey: string;
  /** Signs the answer to a challenge; may take as long as a bunker takes. */
  sign(event: UnsignedEvent): Promise<SignedEvent>;
}

/**
 * What came of an answer to a challenge. `failed`: it could not be given now, and may be later. `withheld`:
 * the signer that there is is never asked for one, which for the document is the same as a refusal.
 */
export type AuthReply = { kind: 'accepted' } | { kind: 'refused' | 'failed' | 'withheld'; reason: string };

/** Thrown by a signer that may not be asked for an answer to a relay's challenge. */
export class AuthWithheld extends RepublishError {
  constructor(why: string) {
    super('SignerRefused', why);
  }
}

/** The answer to a challenge, before its signature. */
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
