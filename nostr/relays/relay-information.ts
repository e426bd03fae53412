import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { within } from '../../async/wait';
import { PACKAGE } from '../../contract/names';
import { type AddressRules, lookupWithin, requireAllowedUrl } from './address-rules';
import { isGateway, shownRelay } from './url';

/** The limits of a relay (NIP-11 `limitation`). Absent: it names none. */
export interface RelayLimits {
  /** Bytes of a whole message, `["EVENT", {...}]`. */
  maxMessageBytes?: number;
  /** Characters of an event's content. */
  maxContentChars?: number;
  /** Seconds that `created_at` may lie in the future. */
  maxAheadS?: number;
  /** Seconds that `created_at` may lie in the past. */
  maxBehindS?: number;
  /** Filters of one REQ. */
  maxFilters?: number;
  /** Reading and writing need a login (NIP-42). */
  authRequired: boolean;
}

const FETCH_TIMEOUT_MS = 3_000;
const MAX_DOCUMENT_BYTES = 64 * 1024;
/** Limits change with a relay's configuration, which is rare. */
const FRESH_MS = 10 * 60_000;
/** A relay that did not answer is asked again sooner: it may have been away. */
const FRESH_AFTER_FAILURE_MS = 60_000;

interface Entry {
  limits: Promise<RelayLimits>;
  /** Set once the answer is there. */
  known?: RelayLimits;
  askAgainAtMs: number;
}

/**
 * What the relays say of themselves (NIP-11), cached. A relay that says nothing, or nonsense, has no limits:
 * its own answers tell what it refuses. A gateway is never asked: its path is a secret.
 */
export class RelayInformation {
  #entries = new Map<string, Entry>();
  #closing = new AbortController();

  /** @param rules where the relay may be, if a stranger named it */
  async limitsOf(url: string, rules?: AddressRules): Promise<RelayLimits> {
    // The rules are part of the key: a caller that may not reach the relay must not get another caller's
    // answer.
    const key = `${url} ${rules?.allowPrivate} ${rules?.allowLoopback}`;
    const entry = this.#entries.get(key);
    if (entry !== undefined && Date.now() < entry.askAgainAtMs) return entry.limits;
    const next: Entry = {
      limits: this.#ask(url, rules).then(
        (limits) => (next.known = limits),
        () => {
          next.askAgainAtMs = Date.now() + FRESH_AFTER_FAILURE_MS;
          return (next.known = { authRequired: false });
        },
      ),
      askAgainAtMs: Date.now() + FRESH_MS,
    };
    this.#entries.set(key, next);
    return next.limits;
  }

  /** The cached limits. It does not ask. */
  knownLimitsOf(url: string): RelayLimits | undefined {
    return this.#entries.get(`${url} undefined undefined`)?.known;
  }

  close(): void {
    this.#closing.abort();
  }

  async #ask(url: string, rules: AddressRules | undefined): Promise<RelayLimits> {
    if (isGateway(url)) return { authRequired: false };
    return limitsIn(
      await fetchRelayInformation(url, {
        signal: this.#closing.signal,
        ...(rules && { addressRules: rules }),
      }),
    );
  }
}

interface HttpOptions {
  signal?: AbortSignal;
  /** For a relay that a stranger named. Absent: it may be anywhere. */
  addressRules?: AddressRules;
}

/**
 * The information document (NIP-11) of a relay that is no gateway, as text. Rejects when none comes within
 * three seconds. Redirects are not followed: they could lead anywhere, and no relay needs one.
 */
export function fetchRelayInformation(url: string, options: HttpOptions = {}): Promise<string> {
  return askOverHttp(url, options, (response) => {
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw new Error(`HTTP ${status} from ${shownRelay(url)}`);
    return readBounded(response);
  });
}

/** The difference between this clock and a relay's. */
export interface ClockDifference {
  /** This one minus the relay's. */
  aheadMs: number;
  uncertaintyMs: number;
}

/**
 * Compares this clock with the `Date` header of a relay (not a gateway), with any HTTP status. Undefined:
 * there is no such header. Rejects when no answer comes within three seconds.
 */
export function fetchRelayClock(
  url: string,
  options: HttpOptions = {},
): Promise<ClockDifference | undefined> {
  const sentAtMs = Date.now();
  return askOverHttp(url, options, ({ headers }) => {
    const receivedAtMs = Date.now();
    // A cache on the way may have kept the answer, and says so in `Age`.
    const relayMs = Date.parse(headers.date ?? '') + 1_000 * (Number(headers.age ?? 0) || 0);
    if (Number.isNaN(relayMs)) return undefined;
    // The header has whole seconds.
    const [least, most] = [sentAtMs - relayMs - 1_000, receivedAtMs - relayMs];
    return { aheadMs: (least + most) / 2, uncertaintyMs: (most - least) / 2 };
  });
}

/** @param read gets the answer as soon as its head is there */
async function askOverHttp<T>(
  url: string,
  { signal, addressRules }: HttpOptions,
  read: (response: IncomingMessage) => Promise<T> | T,
): Promise<T> {
  if (addressRules !== undefined) requireAllowedUrl(url, addressRules);
  // Not fetch: its abort signal may be garbage-collected (nodejs/node#57736), and then it takes five minutes.
  const { get } = url.startsWith('wss:') ? https : http;
  const request = get(url.replace(/^ws/, 'http'), {
    agent: false,
    headers: { accept: 'application/nostr+json', 'user-agent': PACKAGE },
    ...(addressRules && { lookup: lookupWithin(addressRules, url) }),
  });
  // The caller gets the failure below. Without a listener, an error in the middle of an answer would end the
  // process.
  request.on('error', () => undefined);
  try {
    // Not the request's own timeout: after some answers (101) the request emits nothing more.
    const answered = once(request, 'response').then(async ([response]) => ({
      answer: await read(response as IncomingMessage),
    }));
    const inTime = await within(answered, FETCH_TIMEOUT_MS, signal);
    if (inTime === undefined) throw new Error(`${shownRelay(url)} does not say what it is`);
    return inTime.answer;
  } finally {
    request.destroy();
  }
}

/** A relay may send without end. */
async function readBounded(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    const part = chunk as Buffer;
    bytes += part.length;
    if (bytes > MAX_DOCUMENT_BYTES) throw new Error('the information document is too large');
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Reads the `limitation` of an information document. A value that is no sensible number is no limit. */
export function limitsIn(document: string): RelayLimits {
  const { limitation } = JSON.parse(document) as { limitation?: unknown };
  const fields = (typeof limitation === 'object' && limitation !== null ? limitation : {}) as Record<
    string,
    unknown
  >;
  const positive = (value: unknown): number | undefined =>
    typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
  const maxMessageBytes = positive(fields.max_message_length);
  const maxContentChars = positive(fields.max_content_length);
  const maxAheadS = positive(fields.created_at_upper_limit);
  const maxBehindS = positive(fields.created_at_lower_limit);
  const maxFilters = positive(fields.max_filters);
  return {
    ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
    ...(maxContentChars === undefined ? {} : { maxContentChars }),
    ...(maxAheadS === undefined ? {} : { maxAheadS }),
    ...(maxBehindS === undefined ? {} : { maxBehindS }),
    ...(maxFilters === undefined ? {} : { maxFilters }),
    authRequired: fields.auth_required === true,
  };
}
