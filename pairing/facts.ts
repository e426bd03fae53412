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

/** What a signer is looked at with. */
export interface SignerContext {
  database: ReadOnlyDatabase;
  /** With a secrets key. */
  configuration: Configuration;
  operatorUserId: string;
  /** An operator whom LNbits does not know yet is given a signer all the same. */
  mayBeUnknown?: boolean;
  /** LNbits' accounts, where somebody has opened its database already. */
  accounts?: Accounts;
  /** Providers of signers, beside those that were paired here. Default: none. */
  custom?: readonly CustomSignerFinder[] | undefined;
  /** Where to tell a person what to do meanwhile. */
  say(text: string): void;
}

/** What a signer is stored with. */
export interface PairingContext extends SignerContext {
  database: Database;
}

export type SignerKind = (SignerRow | UnstoredSigner)['kind'];

/** A signer as commands show it; keys in hex. */
export interface SignerFacts {
  operatorUserId: string;
  kind: SignerKind;
  /** Whether it was paired here, was found by a provider, or is the account's own as LNbits keeps it. */
  from: SignerOrigin;
  pubkey: string;
  accountPubkey: string | null;
  matchesAccount: boolean;
  /** The signer that was the operator's until now, if this one took its place. */
  replaced?: { kind: SignerKind; pubkey: string };
}

/** What was given as a bunker URI or a key is none. The message never repeats it. */
export class SecretRefused extends Error {
  override readonly name = 'SecretRefused';

  constructor(
    message: string,
    /** Absent: the catalogue's. */
    readonly remedy?: string,
  ) {
    super(message);
  }
}

export const CONNECT_TIMEOUT_MS = 5_000;

/** What signers need of LNbits. */
export type Accounts = Pick<Source, 'account' | 'signer' | 'operators'>;

/** Lends LNbits' database, as far as accounts go: no document type is read here. */
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
  'Check the id (accounts.id in LNbits) and LNBITS_DATABASE_URL. If the account is made only later: the same command with --yes. No secret was used up.';

/**
 * Before a secret is read, or spent, which works once: that the operator is known, and that LNbits can be
 * read.
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
    throw new RepublishError('OperatorNotFound', message, undefined, NO_SUCH_ACCOUNT);
  });
}

/** The account's key, hex; null: it has none that is valid, or there is no such account. */
export async function accountKey(accounts: Accounts, operatorUserId: string): Promise<string | null> {
  const row = await accounts.account(operatorUserId);
  return parsePublicKey(row?.pubkey ?? '') ?? null;
}

/** @param pubkey that the signer has just named */
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

/** By the kinds that no provider may take. */
export function originOfKind(kind: SignerKind): SignerOrigin {
  if (kind === 'local' || kind === 'bunker') return 'paired';
  return kind.startsWith('lnbits-') ? 'lnbits' : 'custom';
}

/** @throws SecretRefused */
export function secretsKey({ configuration }: Pick<SignerContext, 'configuration'>): string {
  if (configuration.secretsKey === undefined) throw new SecretRefused('REPUBLISH_SECRETS_KEY is not set');
  return configuration.secretsKey;
}
