import type { RunQuestion } from '../bunker/question-id';
import type { SignedEvent, UnsignedEvent } from '../events';

export interface SignerCall {
  /**
   * Which question of a run this is. Whoever asks it again is given the answer that was given, or waits for
   * the request that is open, also after a time-out. Absent: it is asked once.
   */
  question?: RunQuestion | undefined;
  /**
   * Waits for as long as a person may take, where a bunker that has answered a moment ago says nothing to
   * this. Default: for as long as a request may take.
   */
  patient?: boolean | undefined;
  /** Told that the bunker has been asked, and how long ago: 0, or longer where it is asked already. */
  onAsked?: ((agoMs: number) => void) | undefined;
  /** Gives up waiting. Without `question` the answer is ignored. */
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
  /** Bunkers only: answers may still come that count, or have come and nobody has them yet. */
  readonly isAwaited?: boolean;
  close(): void;
}
