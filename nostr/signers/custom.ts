import type { Telemetry } from '../../contract/telemetry';
import type { Owner } from './operator-signers';
import type { Signer } from './signer';

/**
 * Finds signers that this program does not store: those of a KMS, an HSM or a signing service. Give it to
 * `runWorker({ signers })`, or name its module in `signerProviders` of the configuration.
 */
export interface SignerProvider {
  /**
   * The name of these signers in `plan`, `doctor`, `signer list`, metrics and the proofs of the ledger:
   * lower-case words joined by hyphens, at most 32 characters, such as `aws-kms`. Not `local`, `bunker` or
   * `lnbits-...`.
   */
  readonly kind: string;
  /**
   * The signer of an operator. Undefined: this provider has none. It is called when no paired signer has the
   * account's key, and its answer is used for five seconds. It must not ask a person and must not sign:
   * `plan` and `doctor` call it, too. A call without an answer fails after `bunkerTimeoutMs`.
   *
   * @param owner the operator's id, and the account's public key (hex) with which the signer must sign
   * @throws RepublishError of the scope `signer`; any other error counts as `SignerUnreachable`, which is
   *   retried
   */
  find(owner: Owner): Signer | undefined | Promise<Signer | undefined>;
  /** Requests to all signers of this provider that are in flight at a time, in each process. Default: 4. */
  readonly concurrency?: number;
  /** Called once, when the worker or the command ends. */
  close?(): void | Promise<void>;
}

/** A signer that a provider found for an operator. Its answers are checked. */
export interface CustomSigner {
  /** The provider's kind. */
  kind: string;
  /** The account's key, hex. The proof checks that the signer has it, before it gets a document. */
  pubkey: string;
  /** @param telemetry counts each request */
  open(telemetry?: Telemetry): Signer;
}

/** One provider, with its answers checked. */
export interface CustomSignerFinder {
  kind: string;
  find(owner: Owner): Promise<CustomSigner | undefined>;
}
