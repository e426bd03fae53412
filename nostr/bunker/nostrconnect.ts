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
  /** Where the bunker is waited for, and reached at first. */
  relays: readonly string[];
  /** Key by which the bunker will know this client. */
  clientSecretKey: Uint8Array;
  connectTimeoutMs: number;
  addressRules: AddressRules;
}

export interface Offer {
  /** `nostrconnect://...` (NIP-46). Holds a secret: for the person at the bunker, and nobody else. */
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
/** What is said to this key by whoever knows it costs a key agreement each. */
const MAX_TRIES_PER_S = 50;
/** The message holds the secret and little else. */
const MAX_CONTENT_CHARS = 4_096;

/**
 * Offers a connection to whichever bunker is shown the URI (NIP-46, connection initiated by the client). It
 * listens before the URI is given out: the bunker's word is ephemeral.
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

/** Says of a message whether its author knows the secret. That it is the author's, NIP-44 proves. */
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
      // Anybody may write to this key, and anything.
      return false;
    }
  };
}
