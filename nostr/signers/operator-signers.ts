import { RepublishError } from '../../contract/failures';
import { publicKeyHex } from '../keys';
import type { CustomSigner, CustomSignerFinder } from './custom';
import { type AccountSigner, type LnbitsSigner, readLnbitsSigner } from './lnbits';

/** Whose signer it is, and the key that it has to sign as, hex. */
export interface Owner {
  operatorUserId: string;
  operatorPubkey: string;
}

/** What is read of LNbits for it. */
export interface AccountReader {
  account(operatorUserId: string): Promise<{ pubkey: string | null } | undefined>;
  signer(operatorUserId: string): Promise<AccountSigner | undefined>;
}

export interface OperatorSignersOptions {
  /**
   * `paired`: only signers that were paired here. `lnbits`: where none of them holds the account's key, the
   * account's own.
   */
  signers: 'paired' | 'lnbits';
  /** Over which LNbits reaches its bunker. */
  bunkerRelays: readonly string[];
  accounts: AccountReader;
  /** Asked in this order. Default: none. */
  custom?: readonly CustomSignerFinder[] | undefined;
}

/** Where an operator's signer comes from. */
export type SignerOrigin = 'paired' | 'custom' | 'lnbits';

/** A signer that is not stored here. */
export type UnstoredSigner = CustomSigner | LnbitsSigner;

/**
 * How long what was found is used again. All documents in work need the signer at about the same moments,
 * twice each: without this, each of them would be two statements on `accounts`. Short, because an account
 * whose signer is changed is to be noticed in the middle of a run.
 */
const KEPT_MS = 5_000;

/**
 * The operators' current signers. One that was paired here goes first where it holds the account's current
 * key: somebody gave it for this very purpose, and it spends nothing of what LNbits lives on. Then the
 * providers are asked, in their order, and then LNbits. What they give is kept in memory for a moment, and
 * nowhere else.
 */
export class OperatorSigners {
  #found = new Map<string, Promise<UnstoredSigner | undefined>>();

  constructor(private readonly options: OperatorSignersOptions) {}

  /** Only signers that were paired here are ever used. */
  get areAllPaired(): boolean {
    const { signers, custom = [] } = this.options;
    return signers === 'paired' && custom.length === 0;
  }

  /**
   * The signer that a question for this operator goes to.
   *
   * @param paired the signer that was paired here; null: none
   * @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch, SignerUnreadable, SourceUnavailable,
   * SourceMisconfigured, and what a provider throws
   */
  async current<Paired extends { pubkey: string; kind: string }>(
    owner: Owner,
    paired: Paired | null,
  ): Promise<Paired | UnstoredSigner> {
    const { operatorUserId, operatorPubkey } = owner;
    const signer = await this.whoever(owner, paired);
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
   * The same; one that was paired here and holds another key is given where there is no other.
   *
   * @throws RepublishError as `current`
   */
  async whoever<Paired extends { pubkey: string }>(
    owner: Owner,
    paired: Paired | null,
  ): Promise<Paired | UnstoredSigner | null> {
    if (this.areAllPaired || paired?.pubkey === owner.operatorPubkey) return paired;
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
    // A failure is told to all who wait for it, and the next one looks anew.
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
  // The key before the signer: a signer that is newer than the key is refused below or by its own answer,
  // never used for the old one.
  const account = await accounts.account(operatorUserId);
  const pubkey = publicKeyHex(account?.pubkey ?? '');
  if (pubkey !== operatorPubkey) {
    throw new RepublishError(
      'SignerPubkeyMismatch',
      `the account's public key is ${pubkey ?? 'not set'} now; its own signer is not asked to sign as ${operatorPubkey}`,
    );
  }
  const row = await accounts.signer(operatorUserId);
  if (row === undefined) {
    throw new RepublishError(
      'SignerNotConfigured',
      `"queries.signer" gives no row for operator ${operatorUserId}, and no signer of the account's key was paired here`,
    );
  }
  return readLnbitsSigner(row, operatorPubkey, bunkerRelays);
}
