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
 * Whoever holds an operator's key: this process, a bunker, or a signer of somebody else (`SignerProvider`).
 *
 * Failures are RepublishErrors of the scope `signer`. Those that are retried: `SignerUnreachable`,
 * `SignerTimeout`, `SignerBusy`, `SignerPending` (a person has to come first). Those that are final for the
 * document: `SignerRefused`, `SignerReturnedWrongEvent`.
 */
export interface Signer {
  /**
   * The key that it signs with, hex. Asked of whoever has the key, never of a cache: it is compared with the
   * account's.
   */
  getPublicKey(call?: SignerCall): Promise<string>;
  /**
   * Encrypts a text (NIP-44 version 2) with the conversation key of its own key and `peer`.
   *
   * @param peer hex: the public key of the machine
   * @param plaintext up to `maxStateBytes` of UTF-8; not a byte of it may change
   * @returns the payload in base64, as NIP-44 has it
   */
  nip44Encrypt(peer: string, plaintext: string, call?: SignerCall): Promise<string>;
  /**
   * Signs exactly this event (NIP-01): the same pubkey, kind, created_at, tags and content. Documents have
   * kind 30078. Kind 22242 is the answer to a relay that demands authentication (NIP-42).
   */
  signEvent(event: UnsignedEvent, call?: SignerCall): Promise<SignedEvent>;
}

/** A signer that the keyring has opened, and closes. */
export interface OpenedSigner extends Signer {
  /**
   * Bunkers only: asks over which relays to go on, and moves there. @returns them, where they are others than
   * before
   */
  switchRelays?(call?: SignerCall): Promise<string[] | undefined>;
  /** Bunkers only: answers may still come that count, or have come and nobody has them yet. */
  readonly isAwaited?: boolean;
  close(): void;
}
