import type { Telemetry } from '../../contract/telemetry';
import type { Owner } from './operator-signers';
import type { Signer } from './signer';

/**
 * Signers that this program neither stores nor opens: a KMS, an HSM, a signing service. `runWorker({ signers })`
 * takes them, and a module that `signerProviders` in the configuration names.
 */
export interface SignerProvider {
  /**
   * What they are called, in `plan`, `doctor`, `signer list` and the proofs of the ledger: lower-case words
   * joined by hyphens, at most 32 characters, such as `aws-kms`. Not `local`, `bunker` or `lnbits-...`.
   */
  readonly kind: string;
  /**
   * The signer of an operator, or undefined: it has none for this operator. It is asked where no paired
   * signer holds the account's key, and its answer is used for some seconds. To find a signer must not ask a
   * person and must not sign: `plan` and `doctor` find it, too.
   *
   * @param owner the operator's id, and the account's public key (hex), which the signer has to sign as
   * @throws RepublishError of the scope `signer`; any other error is `SignerUnreachable`, which is retried
   */
  find(owner: Owner): Signer | undefined | Promise<Signer | undefined>;
  /**
   * Requests (of all its signers) that may be with it at once, in each process. Default: 4. The others wait.
   */
  readonly concurrency?: number;
  /** Called once, when the worker or the command ends. */
  close?(): void | Promise<void>;
}

/** A signer that a provider has found for an operator, with its answers checked. */
export interface CustomSigner {
  /** The provider's. */
  kind: string;
  /** What it has to sign as, hex: the account's key. Whether it does is proved before it gets a document. */
  pubkey: string;
  /** @param telemetry told of each request */
  open(telemetry?: Telemetry): Signer;
}

/** Looks for an operator's signer at one provider. */
export interface CustomSignerFinder {
  kind: string;
  find(owner: Owner): Promise<CustomSigner | undefined>;
}
