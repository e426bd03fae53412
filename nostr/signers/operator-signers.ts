import { RepublishError } from '../../contract/failures';
import { publicKeyHex } from '../keys';
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
}

/** Where an operator's signer comes from. */
export type SignerOrigin = 'paired' | 'lnbits';

/**
 * Whose turn it is. A signer that was paired here goes first where it holds the account's current key:
 * somebody gave it for this very purpose, and it spends nothing of what LNbits lives on.
 */
export function originOf(
  signers: OperatorSignersOptions['signers'],
  paired: { pubkey: string } | null,
  operatorPubkey: string,
): SignerOrigin {
  return signers === 'paired' || paired?.pubkey === operatorPubkey ? 'paired' : 'lnbits';
}

/**
 * How long what was read is used again. All documents in work need the signer at about the same moments,
 * twice each: without this, each of them would be two statements on `accounts`. Short, because an account
 * whose signer is changed in LNbits is to be noticed in the middle of a run.
 */
const KEPT_MS = 5_000;

/** The operators' current signers. Those of LNbits are kept in memory for a moment, and nowhere else. */
export class OperatorSigners {
  #read = new Map<string, Promise<LnbitsSigner>>();

  constructor(private readonly options: OperatorSignersOptions) {}

  /**
   * The signer that a question for this operator goes to.
   *
   * @param paired the signer that was paired here; null: none
   * @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch, SignerUnreadable, SourceUnavailable,
   * SourceMisconfigured
   */
  async current<Paired extends { pubkey: string; kind: string }>(
    owner: Owner,
    paired: Paired | null,
  ): Promise<Paired | LnbitsSigner> {
    const { operatorUserId, operatorPubkey } = owner;
    if (originOf(this.options.signers, paired, operatorPubkey) === 'lnbits') return this.#ofAccount(owner);
    if (paired === null) {
      throw new RepublishError('SignerNotConfigured', `operator ${operatorUserId} has no signer`);
    }
    if (paired.pubkey !== operatorPubkey) {
      throw new RepublishError(
        'SignerPubkeyMismatch',
        `the ${paired.kind} signer signs as ${paired.pubkey}, the account's public key is ${operatorPubkey}`,
      );
    }
    return paired;
  }

  #ofAccount(owner: Owner): Promise<LnbitsSigner> {
    const name = `${owner.operatorPubkey} ${owner.operatorUserId}`;
    const known = this.#read.get(name);
    if (known !== undefined) return known;
    const reading = readAccount(this.options, owner);
    const forget = (): void => {
      if (this.#read.get(name) === reading) this.#read.delete(name);
    };
    this.#read.set(name, reading);
    // A failure is told to all who wait for it, and the next one reads anew.
    reading.then(() => setTimeout(forget, KEPT_MS).unref(), forget);
    return reading;
  }
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
