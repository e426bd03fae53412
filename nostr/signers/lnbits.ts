import { RepublishError } from '../../contract/failures';
import { getPublicKey, parseSecretKey } from '../keys';

/** The account's own signer in LNbits' table `accounts`. All of it is secret. */
export interface AccountSigner {
  signerType: string | null;
  /** JSON text. */
  signerConfig: string | null;
  prvkey: string | null;
}

interface Owned {
  /** The account's key, hex. */
  pubkey: string;
  /**
   * A copy of the account's key (local), or of the key by which the bunker knows LNbits. A function, so that
   * no log and no JSON contains it by accident. The caller wipes the copy.
   */
  secretKey(): Uint8Array;
}

/** The account's own signer, as LNbits stores it. It is used and never stored here. */
export type LnbitsSigner = Owned &
  ({ kind: 'lnbits-local' } | { kind: 'lnbits-bunker'; bunkerPubkey: string; bunkerRelays: string[] });

/**
 * Reads the account's own signer. Unreadable values are refused: these columns may be encrypted, and another
 * signer type may keep its key elsewhere. No message contains a value.
 *
 * @param accountPubkey hex; also the key of the bunker, since nsecbunkerd answers with the user's own
 * @param relays over which LNbits reaches its bunker
 * @throws RepublishError SignerUnreadable, SignerPubkeyMismatch, SignerNotConfigured (no relays)
 */
export function readLnbitsSigner(
  { signerType, signerConfig, prvkey }: AccountSigner,
  accountPubkey: string,
  relays: readonly string[],
): LnbitsSigner {
  if (signerType === 'LocalSigner') return localSigner(prvkey, accountPubkey);
  if (signerType === 'RemoteBunkerSigner') return bunkerSigner(signerConfig, accountPubkey, relays);
  throw new RepublishError(
    'SignerUnreadable',
    `signer_type of the account is ${shownType(signerType)}: only RemoteBunkerSigner and ` +
      `LocalSigner can be read`,
  );
}

function localSigner(prvkey: string | null, accountPubkey: string): LnbitsSigner {
  const { secretKey, publicKey } = readKey(prvkey, 'prvkey of the account (LocalSigner)');
  if (publicKey !== accountPubkey) {
    throw new RepublishError(
      'SignerPubkeyMismatch',
      `prvkey of the account (LocalSigner) is the key of ${publicKey}, the account's public key is ` +
        `${accountPubkey}`,
    );
  }
  return { kind: 'lnbits-local', pubkey: accountPubkey, secretKey };
}

function bunkerSigner(
  signerConfig: string | null,
  accountPubkey: string,
  relays: readonly string[],
): LnbitsSigner {
  const where = 'client_nsec in signer_config of the account (RemoteBunkerSigner)';
  const { secretKey, publicKey } = readKey(clientKeyIn(signerConfig), where);
  if (publicKey === accountPubkey) {
    throw new RepublishError(
      'SignerUnreadable',
      `${where} is the account's own key, and so not the one by which a bunker knows LNbits`,
    );
  }
  if (relays.length === 0) {
    throw new RepublishError(
      'SignerNotConfigured',
      "the account's own signer is a bunker, and nothing says over which relays LNbits reaches it: set " +
        'REPUBLISH_LNBITS_BUNKER_RELAYS',
    );
  }
  return {
    kind: 'lnbits-bunker',
    pubkey: accountPubkey,
    secretKey,
    bunkerPubkey: accountPubkey,
    bunkerRelays: [...relays],
  };
}

/** @throws RepublishError SignerUnreadable */
function clientKeyIn(signerConfig: string | null): string | null {
  const unreadable = (what: string): RepublishError =>
    new RepublishError('SignerUnreadable', `signer_config of the account (RemoteBunkerSigner) ${what}`);
  if (signerConfig === null || signerConfig.trim() === '') throw unreadable('is empty');
  let config: unknown;
  try {
    config = JSON.parse(signerConfig);
  } catch {
    // The parser's reason would quote the text.
    throw unreadable('is no JSON (it may be encrypted)');
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw unreadable('is no JSON object');
  if (!Object.hasOwn(config, 'client_nsec')) throw unreadable('has no client_nsec');
  const key: unknown = (config as Record<string, unknown>)['client_nsec'];
  if (key !== null && typeof key !== 'string') throw unreadable('has a client_nsec that is no text');
  return key;
}

/** @throws RepublishError SignerUnreadable */
function readKey(text: string | null, where: string): { secretKey: () => Uint8Array; publicKey: string } {
  if (text === null || text.trim() === '') throw new RepublishError('SignerUnreadable', `${where} is empty`);
  const key = parseSecretKey(text);
  if (key === undefined) {
    throw new RepublishError(
      'SignerUnreadable',
      `${where} is neither an nsec nor 64 hex characters of a valid key (it may be encrypted)`,
    );
  }
  return { secretKey: () => Uint8Array.from(key), publicKey: getPublicKey(key) };
}

/** LNbits' own types are shown. Any other value is not repeated: a configured query could put a key there. */
function shownType(signerType: string | null): string {
  if (signerType === null || signerType.trim() === '') return 'empty';
  return /^[A-Za-z][A-Za-z0-9_]{0,39}$/.test(signerType)
    ? signerType
    : 'no name of a signer type (it is not repeated here)';
}
