import type { Configuration } from '../configuration/schema';
import { RepublishError } from '../contract/failures';
import type { Database, ReadOnlyDatabase } from '../database/connection';
import type { SignerRow } from '../database/signers';
import { parsePublicKey } from '../nostr/keys';
import type { CustomSignerFinder } from '../nostr/signers/custom';
import type { SignerOrigin, UnstoredSigner } from '../nostr/signers/operator-signers';
import { openSource } from '../sources/open';
import { didYouMeanOperator } from '../sources/similar-operator';
import type { Source } from '../sources/source';

/** The context of a question to a signer. It only reads the ledger. */
export interface SignerContext {
  database: ReadOnlyDatabase;
  /** With a secrets key. */
  configuration: Configuration;
  operatorUserId: string;
  /** Also accept an operator that LNbits does not know yet. Default: false. */
  mayBeUnknown?: boolean;
  /** LNbits' accounts. Default: opened from the configuration for each use. */
  accounts?: Accounts;
  /** Further sources of signers, from the configuration. Default: none. */
  custom?: readonly CustomSignerFinder[] | undefined;
  /** Shows a person what to do, while the call waits. */
  say(text: string): void;
}

/** The context of a pairing, which writes to the ledger. */
export interface PairingContext extends SignerContext {
  database: Database;
}

export type SignerKind = (SignerRow | UnstoredSigner)['kind'];

/** A signer as the commands show it. Keys are hex. */
export interface SignerFacts {
  operatorUserId: string;
  kind: SignerKind;
  /** How it became the signer: paired here, found by a provider, or the account's own in LNbits. */
  from: SignerOrigin;
  pubkey: string;
  /** Null: the account has no valid key, or there is no such account. */
  accountPubkey: string | null;
  matchesAccount: boolean;
  /** The signer with another key that this one has replaced. */
  replaced?: { kind: SignerKind; pubkey: string };
}

/** A bunker URI, a key or another secret is not usable. The message never contains it. */
export class SecretRefused extends Error {
  override readonly name = 'SecretRefused';
  readonly type = 'SecretRefused';

  constructor(
    message: string,
    /** Default: the remedy of the catalogue. */
    readonly remedy?: string,
  ) {
    super(message);
  }
}

/** The part of the source that signers need. */
export type Accounts = Pick<Source, 'account' | 'signer' | 'operators'>;

/** Calls `work` with LNbits' accounts, and closes the source after it if this function has opened it. */
export async function withAccounts<T>(
  { database, configuration, accounts }: Pick<SignerContext, 'database' | 'configuration' | 'accounts'>,
  work: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  if (accounts !== undefined) return work(accounts);
  const { databaseUrl = '', lnbitsDatabaseUrl = databaseUrl, preset, queries } = configuration;
  const source = openSource({
    url: lnbitsDatabaseUrl,
    preset,
    queries: { ...queries, documentTypes: [] },
    ledger: { url: databaseUrl, database },
  });
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

const NO_SUCH_ACCOUNT =
  'Check the id (accounts.id in LNbits) and LNBITS_DATABASE_URL. If the account is made only later: ' +
  'the same command with --yes. No secret was used up.';

/**
 * Checks that LNbits can be read and knows the operator. Commands call it before they read a secret or use
 * it: the secret of a bunker URI works once.
 *
 * @throws RepublishError OperatorNotFound, SourceUnavailable, SourceMisconfigured
 */
export async function requireAccount(context: SignerContext): Promise<void> {
  const { operatorUserId, mayBeUnknown = false } = context;
  await withAccounts(context, async (accounts) => {
    const isKnown = (await accounts.account(operatorUserId)) !== undefined;
    if (isKnown || mayBeUnknown) return;
    const meant = await didYouMeanOperator(accounts, operatorUserId);
    const message = `LNbits has no account with id ${operatorUserId}${meant}`;
    throw new RepublishError('OperatorNotFound', message, { remedy: NO_SUCH_ACCOUNT });
  });
}

/** The account's public key, hex. Null: the account has no valid key, or there is no such account. */
export async function accountKey(accounts: Accounts, operatorUserId: string): Promise<string | null> {
  const row = await accounts.account(operatorUserId);
  return parsePublicKey(row?.pubkey ?? '') ?? null;
}

/** @param pubkey the key that the signer has just named */
export async function factsOf(
  context: SignerContext,
  kind: SignerKind,
  pubkey: string,
): Promise<SignerFacts> {
  const { operatorUserId } = context;
  const accountPubkey = await withAccounts(context, (accounts) => accountKey(accounts, operatorUserId));
  const from = originOfKind(kind);
  return { operatorUserId, kind, from, pubkey, accountPubkey, matchesAccount: accountPubkey === pubkey };
}

/** The origin by the kind: a provider cannot use the kinds of the others. */
export function originOfKind(kind: SignerKind): SignerOrigin {
  if (kind === 'local' || kind === 'bunker') return 'paired';
  return kind.startsWith('lnbits-') ? 'lnbits' : 'custom';
}

/** @throws SecretRefused */
export function secretsKey({ configuration }: Pick<SignerContext, 'configuration'>): string {
  if (configuration.secretsKey === undefined) throw new SecretRefused('REPUBLISH_SECRETS_KEY is not set');
  return configuration.secretsKey;
}
