import { RepublishError } from '../contract/failures';
import { beginPairing, findSigner, putSigner, type SignerRow } from '../database/signers';
import { BunkerClient } from '../nostr/bunker/client';
import { Limiter } from '../async/limiter';
import { offerConnection } from '../nostr/bunker/nostrconnect';
import { MAX_RELAYS, parseBunkerUri } from '../nostr/bunker/uri';
import {
  generateSecretKey,
  getPublicKey,
  lockSecretKey,
  parseSecretKey,
  unlockSecretKey,
} from '../nostr/keys';
import { RELAY_CONNECT_TIMEOUT_MS } from '../nostr/relays/pool';
import { AddressRefused, type AddressRules, requireAllowedUrl } from '../nostr/relays/address-rules';
import { proveEncryption } from '../nostr/signers/prove';
import { pair, tagOfSecret } from './connect';
import {
  factsOf,
  requireAccount,
  type PairingContext,
  secretsKey,
  SecretRefused,
  type SignerFacts,
} from './facts';

const SWITCH_TIMEOUT_MS = 2_000;

const ANOTHER_OFFER = 'Make a new offer with the same command; --timeout <seconds> gives it longer.';

/**
 * Stores an nsec as the operator's current signer, encrypted (NIP-49).
 *
 * @param nsec an nsec (NIP-19) or 64 hex characters
 * @throws SecretRefused it is not a valid key
 * @throws RepublishError those of `requireAccount`
 */
export async function addLocalSigner(context: PairingContext, nsec: string): Promise<SignerFacts> {
  const secretKey = parseSecretKey(nsec);
  if (secretKey === undefined)
    throw new SecretRefused('that is neither an nsec nor 64 hex characters of a valid key');
  const pubkey = getPublicKey(secretKey);
  const { database, operatorUserId } = context;
  await requireAccount(context);
  const before = await findSigner(database, operatorUserId);
  await putSigner(database, {
    operatorUserId,
    kind: 'local',
    pubkey,
    ncryptsec: await lockSecretKey(secretKey, secretsKey(context)),
  });
  secretKey.fill(0);
  return { ...(await factsOf(context, 'local', pubkey)), ...replacedBy(pubkey, before) };
}

/**
 * Pairs with a bunker (NIP-46) and makes it the operator's current signer. The client key is stored before
 * the secret is used. So after a crash, or after an approval, the same command continues with the same client
 * key. Another URI of the same bunker gets another client key.
 *
 * @param uri `bunker://<bunker key>?relay=...&secret=...`
 * @throws SecretRefused, and RepublishError of any type with the scope `signer`
 */
export async function addBunkerSigner(context: PairingContext, uri: string): Promise<SignerFacts> {
  const { database, configuration, operatorUserId } = context;
  const addressRules = { allowPrivate: configuration.allowPrivateBunkerRelays };
  const { bunkerPubkey, relays, secret } = readUri(uri, addressRules);
  await requireAccount(context);
  const before = await findSigner(database, operatorUserId);
  const ncryptsec = await beginPairing(database, {
    operatorUserId,
    bunkerPubkey,
    secretTag: tagOfSecret(secret, secretsKey(context)),
    ncryptsec: await lockSecretKey(generateSecretKey(), secretsKey(context)),
  });
  const clientSecretKey = await unlockSecretKey(ncryptsec, secretsKey(context));
  const client = openClient(context, { bunkerPubkey, relays, clientSecretKey });
  try {
    await client.untilReachable();
    const pubkey = await pair(client, secret, context.say);
    // First the proof: a bunker that cannot encrypt must not replace a signer that can.
    await proveEncryption(client, pubkey);
    await putSigner(database, {
      operatorUserId,
      kind: 'bunker',
      pubkey,
      ncryptsec,
      bunkerPubkey,
      bunkerRelays: (await movedTo(client)) ?? relays,
      namedRelays: relays,
    });
    return { ...(await factsOf(context, 'bunker', pubkey)), ...replacedBy(pubkey, before) };
  } finally {
    client.close();
  }
}

export interface NostrConnectOptions {
  /** The relays on which to wait for the bunker. */
  relays: string[];
  /** How long to wait for the bunker. */
  timeoutMs: number;
  /** Shows the `nostrconnect://` URI to the person at the bunker. It contains a secret. */
  show(uri: string): void;
}

/**
 * Offers a connection (NIP-46 `nostrconnect://`) and makes the bunker that accepts it the operator's current
 * signer. It stores nothing before that: the next offer has another client key and another secret.
 *
 * @throws SecretRefused a relay is not allowed
 * @throws RepublishError SignerTimeout: no bunker accepted the offer in time
 */
export async function addNostrConnectSigner(
  context: PairingContext,
  { relays, timeoutMs, show }: NostrConnectOptions,
): Promise<SignerFacts> {
  const { database, configuration, operatorUserId } = context;
  const addressRules = { allowPrivate: configuration.allowPrivateBunkerRelays };
  requireRelaysForOffer(relays, addressRules);
  await requireAccount(context);
  const before = await findSigner(database, operatorUserId);
  const clientSecretKey = generateSecretKey();
  const offer = await offerConnection({
    relays,
    clientSecretKey,
    connectTimeoutMs: RELAY_CONNECT_TIMEOUT_MS,
    addressRules,
  });
  let client: BunkerClient | undefined;
  try {
    show(offer.uri);
    const bunkerPubkey = await offer.taken(timeoutMs).catch((error: Error) => {
      throw new RepublishError('SignerTimeout', error.message, { remedy: ANOTHER_OFFER });
    });
    client = openClient(context, { bunkerPubkey, relays, clientSecretKey });
    const pubkey = await client.getPublicKey();
    await proveEncryption(client, pubkey);
    await putSigner(database, {
      operatorUserId,
      kind: 'bunker',
      pubkey,
      ncryptsec: await lockSecretKey(clientSecretKey, secretsKey(context)),
      bunkerPubkey,
      bunkerRelays: (await movedTo(client)) ?? relays,
      namedRelays: relays,
    });
    return { ...(await factsOf(context, 'bunker', pubkey)), ...replacedBy(pubkey, before) };
  } finally {
    offer.close();
    client?.close();
    clientSecretKey.fill(0);
  }
}

function requireRelaysForOffer(relays: string[], addressRules: AddressRules): void {
  const remedy = 'name relays that the bunker reaches too with --relay wss://...';
  if (relays.length === 0) throw new SecretRefused(`there is no relay to wait on: ${remedy}`);
  if (relays.length > MAX_RELAYS)
    throw new SecretRefused(
      `${relays.length} relays are more than the ${MAX_RELAYS} a bunker may have: ${remedy}`,
    );
  try {
    for (const relay of relays) requireAllowedUrl(relay, addressRules);
  } catch (error) {
    throw new SecretRefused(`${(error as Error).message}; ${remedy}`);
  }
}

function openClient(
  { configuration, say }: PairingContext,
  bunker: { bunkerPubkey: string; relays: string[]; clientSecretKey: Uint8Array },
): BunkerClient {
  return new BunkerClient({
    ...bunker,
    requestTimeoutMs: configuration.bunkerTimeoutMs,
    approvalTimeoutMs: configuration.approvalTimeoutMs,
    connectTimeoutMs: RELAY_CONNECT_TIMEOUT_MS,
    addressRules: { allowPrivate: configuration.allowPrivateBunkerRelays },
    limiter: new Limiter(1),
    onApprovalNeeded: (url) => say(`the bunker asks for approval; open ${url}`),
  });
}

/** The relays to which the bunker wants to move. Undefined: it does not answer `switch_relays` in time. */
function movedTo(client: BunkerClient): Promise<string[] | undefined> {
  return client.switchRelays({ signal: AbortSignal.timeout(SWITCH_TIMEOUT_MS) });
}

function replacedBy(pubkey: string, before: SignerRow | undefined): Pick<SignerFacts, 'replaced'> {
  return before === undefined || before.pubkey === pubkey
    ? {}
    : { replaced: { kind: before.kind, pubkey: before.pubkey } };
}

function readUri(uri: string, addressRules: AddressRules): ReturnType<typeof parseBunkerUri> {
  try {
    const address = parseBunkerUri(uri);
    for (const relay of address.relays) requireAllowedUrl(relay, addressRules);
    return address;
  } catch (error) {
    const { message } = error as Error;
    throw new SecretRefused(
      error instanceof AddressRefused
        ? `the bunker URI names a relay that is not allowed: ${message}. ` +
            'Set the bunker to public wss:// relays and use its new URI'
        : message,
    );
  }
}
