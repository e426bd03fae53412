import type { SignedEvent, UnsignedEvent } from '../events';

export interface SignerCall {
  /** Gives up waiting; what the bunker does with the request afterwards is ignored. */
  signal?: AbortSignal | undefined;
  /**
   * Gives up while the request only waits for its turn; once it is sent, `signal` alone counts. Default:
   * `signal`.
   */
  turn?: AbortSignal | undefined;
  /** Of the requests that wait for a place at the bunker, the one with the lowest goes first. Default: 0. */
  rank?: number | undefined;
  /**
   * Told the page on which a person has to approve before the bunker answers (NIP-46 `auth_url`), and
   * undefined when that is over. The address is the operator's: show it to nobody else and log it nowhere.
   */
  onApproval?: ((url: string | undefined) => void) | undefined;
  /** Told by the clock of a bunker when it has answered, seconds. */
  onAnswer?: ((createdAtS: number) => void) | undefined;
}

/**
 * Whoever holds an operator's key: this process, or a bunker somewhere else. Failures are RepublishErrors
 * `Signer*`.
 */
export interface Signer {
  /** Asks the signer which key it signs with (never from a cache). */
  getPublicKey(call?: SignerCall): Promise<string>;
  /** Encrypts to `peer` (NIP-44 v2) and checks that the answer can be such a ciphertext. */
  nip44Encrypt(peer: string, plaintext: string, call?: SignerCall): Promise<string>;
  /** Signs exactly this event; anything else that comes back is refused. */
  signEvent(event: UnsignedEvent, call?: SignerCall): Promise<SignedEvent>;
  /**
   * Bunkers only: asks over which relays to go on, and moves there. @returns them, where they are others than
   * before
   */
  switchRelays?(call?: SignerCall): Promise<string[] | undefined>;
  close(): void;
}
