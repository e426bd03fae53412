import { randomBytes, timingSafeEqual } from 'node:crypto';
import { finalizeEvent, getPublicKey } from 'nostr-tools/pure';
import { within } from '../../async/wait';
import { PACKAGE } from '../../contract/names';
import type { SignedEvent } from '../events';
import { decrypt, getConversationKey } from '../nip44';
import type { AddressRules } from '../relays/address-rules';
import { PERMISSIONS } from './client';
import { BunkerLink } from './link';
import { parseAnswer } from './messages';

export interface OfferOptions {
  /** Where the bunker is expected, and reached at first. */
  relays: readonly string[];
  /** Key by which the bunker will know this client. */
  clientSecretKey: Uint8Array;
  connectTimeoutMs: number;
  addressRules: AddressRules;
}

export interface Offer {
  /**
   * `nostrconnect://...` (NIP-46). It holds a secret: show it to the person at the bunker, and to nobody
   * else.
   */
  uri: string;
  /**
   * Waits for a bunker that takes the offer.
   *
   * @returns the bunker's own public key, hex
   * @throws Error when none does within `timeoutMs`, or `signal` aborts
   */
  taken(timeoutMs: number, signal?: AbortSignal): Promise<string>;
  close(): void;
}

const SECRET_BYTES = 16;
/** Anybody who knows this key can write to it, and each message costs a key agreement. */
const MAX_TRIES_PER_S = 50;
/** The message holds the secret and little else. */
const MAX_CONTENT_CHARS = 4_096;

/**
 * Offers a connection to the bunker that is shown the URI (NIP-46, connection initiated by the client). It
 * listens before it gives the URI out: the bunker's message is ephemeral.
 *
 * @throws Error when no relay can be listened on
 */
export async function offerConnection(options: OfferOptions): Promise<Offer> {
  const { relays, clientSecretKey, connectTimeoutMs, addressRules } = options;
  const clientPubkey = getPublicKey(clientSecretKey);
  const secret = randomBytes(SECRET_BYTES).toString('hex');
  let taken: (bunkerPubkey: string) => void = () => undefined;
  const untilTaken = new Promise<string>((resolve) => (taken = resolve));
  const judge = judgeOf(clientSecretKey, secret);
  const links = relays.map(
    (url) =>
      new BunkerLink({
        url,
        connectTimeoutMs,
        addressRules,
        identity: {
          pubkey: clientPubkey,
          sign: (event) => Promise.resolve(finalizeEvent(event, clientSecretKey)),
        },
        onAnswer: (event) => {
          if (judge(event)) taken(event.pubkey);
        },
        onReady: () => undefined,
        onOk: () => undefined,
        onThrottled: () => undefined,
      }),
  );
  const close = (): void => links.forEach((link) => link.close());
  try {
    await Promise.any(
      links.map((link) =>
        link.firstTry.then(() => (link.isReady ? undefined : Promise.reject(new Error(link.trouble)))),
      ),
    );
  } catch {
    close();
    const troubles = links.map((link) => `${link.url}: ${link.trouble}`).join('; ');
    throw new Error(`no relay can be listened on (${troubles})`);
  }
  return {
    uri: offerUri(clientPubkey, relays, secret),
    taken: async (timeoutMs, signal) => {
      const bunkerPubkey = await within(untilTaken, timeoutMs, signal);
      if (bunkerPubkey !== undefined) return bunkerPubkey;
      throw new Error(`no bunker took the offer within ${Math.round(timeoutMs / 1000)} s`);
    },
    close,
  };
}

function offerUri(clientPubkey: string, relays: readonly string[], secret: string): string {
  const query = new URLSearchParams(relays.map((relay): [string, string] => ['relay', relay]));
  query.set('secret', secret);
  query.set('perms', PERMISSIONS);
  query.set('name', PACKAGE);
  return `nostrconnect://${clientPubkey}?${query.toString()}`;
}

/** Tells whether the author of a message knows the secret. NIP-44 proves who the author is. */
function judgeOf(clientSecretKey: Uint8Array, secret: string): (event: SignedEvent) => boolean {
  const expected = Buffer.from(secret);
  let tries = 0;
  let windowEndsAtMs = 0;
  return ({ pubkey, content }) => {
    if (content.length > MAX_CONTENT_CHARS) return false;
    if (Date.now() > windowEndsAtMs) {
      windowEndsAtMs = Date.now() + 1_000;
      tries = 0;
    }
    tries += 1;
    if (tries > MAX_TRIES_PER_S) return false;
    try {
      const answer = parseAnswer(decrypt(content, getConversationKey(clientSecretKey, pubkey)));
      const given = Buffer.from(answer?.result ?? '');
      return given.length === expected.length && timingSafeEqual(given, expected);
    } catch {
      // Anybody may write anything to this key.
      return false;
    }
  };
}
