import { type Failure, RepublishError } from '../contract/failures';
import { findSigner, listSigners, type SignerRow } from '../database/signers';
import { Limiter } from '../nostr/bunker/limiter';
import { unlockSecretKey } from '../nostr/keys';
import { Keyring } from '../nostr/signers/keyring';
import { OperatorSigners, type UnstoredSigner } from '../nostr/signers/operator-signers';
import { proveEncryption, proveSignature } from '../nostr/signers/prove';
import type { Signer } from '../nostr/signers/signer';
import {
  accountKey,
  type Accounts,
  CONNECT_TIMEOUT_MS,
  factsOf,
  secretsKey,
  type SignerContext,
  type SignerFacts,
  withAccounts,
} from './facts';

/** What else a signer is asked, when it has named its key. */
export interface AlsoAsk {
  /** @param tookMs from opening it to its key */
  ask(
    open: Signer,
    pubkey: string,
    asked: { signer: SignerRow | UnstoredSigner; tookMs: number },
  ): Promise<void>;
  /** Requests that may be with it at once. Default: one. */
  atOnce?: number;
}

/**
 * Asks the operator's current signer which key it signs with, and nothing else.
 *
 * @throws RepublishError SignerNotConfigured, SignerUnlockFailed, SignerUnreadable, SignerPubkeyMismatch (the
 *   account's own signer is another key's), OperatorNotFound, SignerTimeout, SignerUnreachable, SignerRefused
 */
export async function askCurrentSigner(context: SignerContext, also?: AlsoAsk): Promise<SignerFacts> {
  const signer = await withAccounts(context, (accounts) =>
    currentSigner({ ...context, accounts }, context.operatorUserId),
  );
  return askSigner(context, signer, also);
}

/**
 * The same, and has it encrypt a text that is read back, as a run does before its first document. Then it
 * signs an event that is thrown away; LNbits' own bunker client does not, since its signatures may be
 * counted.
 *
 * @throws RepublishError SignerCannotEncrypt, SignerChangesEvents, and as `askCurrentSigner`
 */
export function checkCurrentSigner(context: SignerContext): Promise<SignerFacts> {
  return askCurrentSigner(context, {
    async ask(open, pubkey, { signer }) {
      await proveEncryption(open, pubkey);
      if (signer.kind !== 'lnbits-bunker') await proveSignature(open, pubkey);
    },
  });
}

/**
 * Whether the secrets key opens what is stored of a signer. It is not asked, and its key is wiped.
 *
 * @throws RepublishError SignerUnlockFailed
 */
export async function requireOpens(
  { configuration }: Pick<SignerContext, 'configuration'>,
  { operatorUserId, ncryptsec }: SignerRow,
): Promise<void> {
  const key = await unlockSecretKey(ncryptsec, secretsKey({ configuration })).catch(() => {
    throw new RepublishError(
      'SignerUnlockFailed',
      `REPUBLISH_SECRETS_KEY does not open the stored signer of operator ${operatorUserId}: it is another key than the one it was added under`,
    );
  });
  key.fill(0);
}

/** Asks this signer which key it signs with. */
export async function askSigner(
  context: SignerContext,
  signer: SignerRow | UnstoredSigner,
  also?: AlsoAsk,
): Promise<SignerFacts> {
  const { configuration } = context;
  const keyring = new Keyring({
    secretsKey: secretsKey(context),
    bunkerConcurrency: also?.atOnce ?? 1,
    measures: true,
    bunkerTimeoutMs: configuration.bunkerTimeoutMs,
    approvalTimeoutMs: configuration.approvalTimeoutMs,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    allowPrivateBunkerRelays: configuration.allowPrivateBunkerRelays,
    onApprovalNeeded: (_, url) => context.say(`the bunker asks for approval; open ${url}`),
  });
  try {
    const pubkey = await keyring.use(signer, async (open) => {
      const beganMs = performance.now();
      const named = await open.getPublicKey();
      await also?.ask(open, named, { signer, tookMs: performance.now() - beganMs });
      return named;
    });
    return await factsOf(context, signer.kind, pubkey);
  } finally {
    keyring.close();
  }
}

type Context = Pick<SignerContext, 'database' | 'configuration' | 'custom'> & { accounts: Accounts };

/** One that was paired here is given also where it is another key's, so that it can be said which. */
async function currentSigner(context: Context, operatorUserId: string): Promise<SignerRow | UnstoredSigner> {
  const signers = operatorSigners(context);
  const paired = (await findSigner(context.database, operatorUserId)) ?? null;
  const operatorPubkey = signers.usesOnlyPaired ? '' : await accountKey(context.accounts, operatorUserId);
  const signer =
    operatorPubkey === null ? paired : await signers.candidate({ operatorUserId, operatorPubkey }, paired);
  if (signer !== null) return signer;
  throw operatorPubkey === null
    ? new RepublishError('OperatorNotFound', `no account with id ${operatorUserId} and a valid public key`)
    : new RepublishError('SignerNotConfigured', `operator ${operatorUserId} has no signer`);
}

function operatorSigners({ configuration, accounts, custom }: Context): OperatorSigners {
  const { signers, lnbitsBunkerRelays } = configuration;
  return new OperatorSigners({ signers, bunkerRelays: lnbitsBunkerRelays, accounts, custom });
}

/** An operator and the signer that is theirs now, or why there is none. */
export interface CurrentSigner {
  operatorUserId: string;
  signer: SignerRow | UnstoredSigner | Failure;
}

const PAGE = 500;
const READ_AT_ONCE = 4;

/**
 * The current signers of all operators, in the order of their ids: those that were paired here and, where the
 * configuration says so, those of all other operators of the installation. No bunker is asked.
 *
 * @param only this operator
 */
export function listCurrentSigners(
  context: Pick<SignerContext, 'database' | 'configuration' | 'accounts' | 'custom'>,
  only?: string,
): Promise<CurrentSigner[]> {
  return withAccounts(context, (accounts) => listWith({ ...context, accounts }, only));
}

async function listWith(context: Context, only: string | undefined): Promise<CurrentSigner[]> {
  const ofOne = async (operatorUserId: string): Promise<CurrentSigner> => ({
    operatorUserId,
    signer: await currentSigner(context, operatorUserId).catch(failureOf),
  });
  const paired = await listSigners(context.database);
  if (operatorSigners(context).usesOnlyPaired) {
    return paired
      .filter(({ operatorUserId }) => only === undefined || only === operatorUserId)
      .map((signer) => ({ operatorUserId: signer.operatorUserId, signer }));
  }
  if (only !== undefined) return [await ofOne(only)];
  const ids = new Set(paired.map(({ operatorUserId }) => operatorUserId));
  for await (const id of allOperators(context)) ids.add(id);
  const limiter = new Limiter(READ_AT_ONCE);
  return Promise.all([...ids].sort().map((id) => limiter.run(() => ofOne(id))));
}

async function* allOperators({ accounts }: Context): AsyncGenerator<string> {
  for (let after: string | undefined; ;) {
    const page = await accounts.operators({ after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1);
  }
}

/**
 * What is wrong with one operator's signer is told beside the others; what is wrong with a database is not.
 */
function failureOf(thrown: unknown): Failure {
  if (thrown instanceof RepublishError && !/^(Database|Source)/.test(thrown.type))
    return { type: thrown.type, message: thrown.message };
  throw thrown;
}
