import { RepublishError } from '../../contract/failures';
import { publicKeyHex } from '../keys';
import type { CustomSigner, CustomSignerFinder } from './custom';
import { type AccountSigner, type LnbitsSigner, readLnbitsSigner } from './lnbits';

/** An operator, and the key (hex) with which the operator's signer must sign. */
export interface Owner {
  operatorUserId: string;
  operatorPubkey: string;
}

/** What is read from LNbits to find a signer. */
export interface AccountReader {
  account(operatorUserId: string): Promise<{ pubkey: string | null } | undefined>;
  signer(operatorUserId: string): Promise<AccountSigner | undefined>;
}

export interface OperatorSignersOptions {
  /**
   * `paired`: only signers that were paired here. `lnbits`: where none of them has the account's key, the
   * account's own.
   */
  signers: 'paired' | 'lnbits';
  /** Relays over which LNbits reaches its bunker. */
  bunkerRelays: readonly string[];
  accounts: AccountReader;
  /** Signer providers, in the order in which they are asked. Default: none. */
  custom?: readonly CustomSignerFinder[] | undefined;
}

/** Where an operator's signer comes from. */
export type SignerOrigin = 'paired' | 'custom' | 'lnbits';

/** A signer that is not stored here. */
export type UnstoredSigner = CustomSigner | LnbitsSigner;

/**
 * How long a found signer is reused. All documents in work need it twice, at about the same time: without
 * this, each would need two statements on `accounts`. Short, so that a run notices when an account's signer
 * changes.
 */
const KEPT_MS = 5_000;

/**
 * Finds the current signer of an operator. A paired signer with the account's current key comes first: a
 * person chose it for this purpose, and it uses nothing that LNbits needs. The providers are next, in their
 * order, and then LNbits. Found signers are kept in memory for a moment, and nowhere else.
 */
export class OperatorSigners {
  #found = new Map<string, Promise<UnstoredSigner | undefined>>();

  constructor(private readonly options: OperatorSignersOptions) {}

  /** Whether there are only paired signers. */
  get usesOnlyPaired(): boolean {
    const { signers, custom = [] } = this.options;
    return signers === 'paired' && custom.length === 0;
  }

  /**
   * The signer of an operator. It is not asked.
   *
   * @param paired the signer that was paired here. Null: none
   * @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch, SignerUnreadable, SourceUnavailable,
   *   SourceMisconfigured, and what a provider throws
   */
  async current<Paired extends { pubkey: string; kind: string }>(
    owner: Owner,
    paired: Paired | null,
  ): Promise<Paired | UnstoredSigner> {
    const { operatorUserId, operatorPubkey } = owner;
    const signer = await this.candidate(owner, paired);
    if (signer === null) {
      throw new RepublishError('SignerNotConfigured', `operator ${operatorUserId} has no signer`);
    }
    if (signer.pubkey !== operatorPubkey) {
      throw new RepublishError(
        'SignerPubkeyMismatch',
        `the ${signer.kind} signer signs as ${signer.pubkey}, the account's public key is ${operatorPubkey}`,
      );
    }
    return signer;
  }

  /**
   * The same, but a paired signer with another key is returned when there is no other, so that it can be
   * shown.
   *
   * @throws RepublishError as `current`
   */
  async candidate<Paired extends { pubkey: string }>(
    owner: Owner,
    paired: Paired | null,
  ): Promise<Paired | UnstoredSigner | null> {
    if (this.usesOnlyPaired || paired?.pubkey === owner.operatorPubkey) return paired;
    return (await this.#unstored(owner)) ?? paired;
  }

  #unstored(owner: Owner): Promise<UnstoredSigner | undefined> {
    const name = `${owner.operatorPubkey} ${owner.operatorUserId}`;
    const known = this.#found.get(name);
    if (known !== undefined) return known;
    const finding = find(this.options, owner);
    const forget = (): void => {
      if (this.#found.get(name) === finding) this.#found.delete(name);
    };
    this.#found.set(name, finding);
    // All waiting callers get a failure. The next caller looks again.
    finding.then(() => setTimeout(forget, KEPT_MS).unref(), forget);
    return finding;
  }
}

async function find(options: OperatorSignersOptions, owner: Owner): Promise<UnstoredSigner | undefined> {
  for (const provider of options.custom ?? []) {
    const found = await provider.find(owner);
    if (found !== undefined) return found;
  }
  return options.signers === 'lnbits' ? readAccount(options, owner) : undefined;
}

async function readAccount(
  { accounts, bunkerRelays }: OperatorSignersOptions,
  { operatorUserId, operatorPubkey }: Owner,
): Promise<LnbitsSigner> {
  // The key is read before the signer. A signer that is newer than the key is refused below or by its own
  // answer, and is never used for the old key.
  const account = await accounts.account(operatorUserId);
  const pubkey = publicKeyHex(account?.pubkey ?? '');
  if (pubkey !== operatorPubkey) {
    throw new RepublishError(
      'SignerPubkeyMismatch',
      `the account's public key is ${pubkey ?? 'not set'} now; its own signer is not asked to sign as ` +
        `${operatorPubkey}`,
    );
  }
  const row = await accounts.signer(operatorUserId);
  if (row === undefined) {
    throw new RepublishError(
      'SignerNotConfigured',
      `"queries.signer" gives no row for operator ${operatorUserId}, and no signer of the account's key ` +
        `was paired here`,
    );
  }
  return readLnbitsSigner(row, operatorPubkey, bunkerRelays);
}
