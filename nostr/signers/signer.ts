import type { RunQuestion } from '../bunker/question-id';
import type { SignedEvent, UnsignedEvent } from '../events';

export interface SignerCall {
  /**
   * Identifies the question within a run. If it is asked again, the caller gets the earlier answer, or waits
   * for the open request, even after a timeout. Absent: every call is a new request.
   */
  question?: RunQuestion | undefined;
  /**
   * Waits as long as a person may take, if a bunker that answered just now does not answer this request.
   * Default: as long as a request may take.
   */
  patient?: boolean | undefined;
  /** Called when the request is with the bunker, with its age: 0, or more if it was sent before. */
  onAsked?: ((agoMs: number) => void) | undefined;
  /** Stops waiting. Without `question`, a later answer is ignored. */
  signal?: AbortSignal | undefined;
  /**
   * Stops waiting while the request still waits for its turn. After it is sent, only `signal` counts.
   * Default: `signal`.
   */
  turn?: AbortSignal | undefined;
  /** Waiting requests with a lower rank are sent first. Default: 0. */
  rank?: number | undefined;
  /**
   * Called with the address at which a person must approve before the bunker answers (NIP-46 `auth_url`), and
   * with undefined when that is over. The address is the operator's: show it to nobody else, and do not log
   * it.
   */
  onApproval?: ((url: string | undefined) => void) | undefined;
  /** Called with the date of the answer by the bunker's clock, in seconds. */
  onAnswer?: ((createdAtS: number) => void) | undefined;
}

/**
 * Has an operator's key: this process, a bunker, or a service behind a `SignerProvider`.
 *
 * A call may get a `signal` and an `onApproval`; the other options are for bunkers. When `signal` aborts, end
 * the request: its answer is no longer used.
 *
 * Failures are RepublishErrors of the scope `signer`. Retried: `SignerUnreachable`, `SignerTimeout`,
 * `SignerBusy`, and `SignerPending` (a person must act first). Final for the document: `SignerRefused`,
 * `SignerReturnedWrongEvent`.
 */
export interface Signer {
  /**
   * The key with which it signs, hex. Ask the holder of the key, not a cache: the answer is compared with the
   * account's key.
   */
  getPublicKey(call?: SignerCall): Promise<string>;
  /**
   * Encrypts a text (NIP-44 version 2) with its own key and `peer`.
   *
   * @param peer the machine's public key, hex
   * @param plaintext up to `maxStateBytes` bytes of UTF-8. No byte of it may change
   * @returns the payload in base64, as NIP-44 defines it
   */
  nip44Encrypt(peer: string, plaintext: string, call?: SignerCall): Promise<string>;
  /**
   * Signs exactly this event (NIP-01): the same pubkey, kind, created_at, tags and content. Documents have
   * kind 30078. Kind 22242 answers a relay that requires authentication (NIP-42).
   */
  signEvent(event: UnsignedEvent, call?: SignerCall): Promise<SignedEvent>;
}

/** A signer that the keyring opens and closes. */
export interface OpenedSigner extends Signer {
  /** Bunkers only: asks which relays to use from now on, and moves there. @returns them, if they changed */
  switchRelays?(call?: SignerCall): Promise<string[] | undefined>;
  /** Bunkers only: an answer may still come, or has come and no caller has it yet. */
  readonly isAwaited?: boolean;
  close(): void;
}
