import { type Failure, RepublishError, scopeOf } from '../contract/failures';
import { pagesOf } from '../async/pages';
import { findSigner, listSigners, type SignerRow } from '../database/signers';
import { Limiter } from '../async/limiter';
import { unlockSecretKey } from '../nostr/keys';
import { RELAY_CONNECT_TIMEOUT_MS } from '../nostr/relays/pool';
import { Keyring } from '../nostr/signers/keyring';
import { OperatorSigners, type UnstoredSigner } from '../nostr/signers/operator-signers';
import { proveEncryption, proveSignature } from '../nostr/signers/prove';
import type { Signer, SignerCall } from '../nostr/signers/signer';
import {
  accountKey,
  type Accounts,
  factsOf,
  secretsKey,
  type SignerContext,
  type SignerFacts,
  withAccounts,
} from './facts';

/** Further questions to a signer, after it has named its key. */
export interface AlsoAsk {
  /** @param tookMs from opening the signer to its answer with the key */
  ask(
    open: Signer,
    pubkey: string,
    asked: { signer: SignerRow | UnstoredSigner; tookMs: number },
  ): Promise<void>;
  /** How many requests may be in flight. Default: 1. */
  window?: number;
}

/**
 * Asks the operator's current signer for the public key that it signs with.
 *
 * @param also further questions. Default: none
 * @throws RepublishError SignerNotConfigured, SignerUnlockFailed, SignerUnreadable, OperatorNotFound,
 *   SignerTimeout, SignerUnreachable, SignerRefused
 * @throws RepublishError SignerPubkeyMismatch: the account's own signer has another key than the account
 */
export async function askCurrentSigner(context: SignerContext, also?: AlsoAsk): Promise<SignerFacts> {
  const signer = await withAccounts(context, (accounts) =>
    currentSigner({ ...context, accounts }, context.operatorUserId),
  );
  return askSigner(context, signer, also);
}

/**
 * As `askCurrentSigner`, and proves the encryption as a run does before its first page. Then the signer signs
 * an event that is not published. LNbits' own bunker client is not asked for that: LNbits may count its
 * signatures.
 *
 * @throws RepublishError SignerCannotEncrypt, SignerChangesEvents, and those of `askCurrentSigner`
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
 * Checks that REPUBLISH_SECRETS_KEY decrypts the stored key of a signer (NIP-49). It does not ask the signer.
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
      `REPUBLISH_SECRETS_KEY does not open the stored signer of operator ${operatorUserId}: ` +
        'it is another key than the one it was added under',
    );
  });
  key.fill(0);
}

/** Asks this signer for the public key that it signs with. */
export async function askSigner(
  context: SignerContext,
  signer: SignerRow | UnstoredSigner,
  also?: AlsoAsk,
): Promise<SignerFacts> {
  const { configuration } = context;
  const keyring = new Keyring({
    secretsKey: secretsKey(context),
    bunkerConcurrency: also?.window ?? 1,
    measures: true,
    bunkerTimeoutMs: configuration.bunkerTimeoutMs,
    approvalTimeoutMs: configuration.approvalTimeoutMs,
    connectTimeoutMs: RELAY_CONNECT_TIMEOUT_MS,
    allowPrivateBunkerRelays: configuration.allowPrivateBunkerRelays,
    onApprovalNeeded: (_, url) => context.say(`the bunker asks for approval; open ${url}`),
  });
  try {
    const pubkey = await keyring.use(signer, async (opened) => {
      // The page of a bunker is shown by the keyring.
      const open =
        'open' in signer
          ? showingPages(opened, (url) =>
              context.say(`the ${signer.kind} signer asks for approval; open ${url}`),
            )
          : opened;
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

/** The same signer, with every page on which a person must approve shown. */
function showingPages(signer: Signer, show: (url: string) => void): Signer {
  const showing = (call: SignerCall = {}): SignerCall => ({
    ...call,
    onApproval(url) {
      if (url !== undefined) show(url);
      call.onApproval?.(url);
    },
  });
  return {
    getPublicKey: (call) => signer.getPublicKey(showing(call)),
    nip44Encrypt: (peer, plaintext, call) => signer.nip44Encrypt(peer, plaintext, showing(call)),
    signEvent: (event, call) => signer.signEvent(event, showing(call)),
  };
}

type Context = Pick<SignerContext, 'database' | 'configuration' | 'custom'> & { accounts: Accounts };

/**
 * A paired signer is returned also if it has another key than the account, so that a command can show that
 * key.
 */
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

/** An operator with the current signer, or with the failure that says why there is none. */
export interface CurrentSigner {
  operatorUserId: string;
  signer: SignerRow | UnstoredSigner | Failure;
}

const OPERATORS_PER_READ = 500;
const READS_AT_A_TIME = 4;

/**
 * The current signers of all operators, in the order of their ids: the paired signers and, with `signers`
 * other than `paired`, those of all other operators of the installation. It asks no bunker.
 *
 * @param only the id of one operator. Default: all
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
  const pages = pagesOf<string>(OPERATORS_PER_READ, (after, limit) =>
    context.accounts.operators({ after, limit }),
  );
  for await (const page of pages) for (const id of page) ids.add(id);
  const limiter = new Limiter(READS_AT_A_TIME);
  return Promise.all([...ids].sort().map((id) => limiter.run(() => ofOne(id))));
}

/** The failure of one operator's signer, for the list. A failure of a database ends the whole list. */
function failureOf(thrown: unknown): Failure {
  if (thrown instanceof RepublishError && scopeOf(thrown.type) !== 'database')
    return { type: thrown.type, message: thrown.message };
  throw thrown;
}
