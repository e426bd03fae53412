import { once } from 'node:events';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { PACKAGE } from '../../contract/names';
import { type AddressRules, lookupWithin, requireAllowedUrl } from './address-rules';
import { isGateway, shownRelay } from './url';

/** What a relay says of its limits (NIP-11 `limitation`). Absent: it names none. */
export interface RelayLimits {
  /** Bytes of a whole message, `["EVENT", {...}]`. */
  maxMessageBytes?: number;
  /** Characters of an event's content. */
  maxContentChars?: number;
  /** Seconds that `created_at` may lie in the future. */
  maxAheadS?: number;
  /** The same in the past. */
  maxBehindS?: number;
  /** Filters of one REQ. */
  maxFilters?: number;
  /** Reading and writing need an answer to its challenge (NIP-42). */
  authRequired: boolean;
}

const FETCH_TIMEOUT_MS = 3_000;
const MAX_DOCUMENT_BYTES = 64 * 1024;
/** Limits change with a relay's configuration, which is rare. */
const FRESH_MS = 10 * 60_000;
/** One that did not answer is asked again sooner: it may have been away. */
const FRESH_AFTER_FAILURE_MS = 60_000;

interface Entry {
  limits: Promise<RelayLimits>;
  /** Set once the answer is there. */
  known?: RelayLimits;
  askAgainAtMs: number;
}

/**
 * What the relays say of themselves (NIP-11), asked once in a while. A relay that says nothing, or nonsense,
 * has no limits: whatever it then refuses is told by its own answer. A gateway is never asked, since its path
 * is a secret.
 */
export class RelayInformation {
  #entries = new Map<string, Entry>();
  #closing = new AbortController();

  /** @param rules where it may be, if a stranger has named it: elsewhere it is not asked */
  async limitsOf(url: string, rules?: AddressRules): Promise<RelayLimits> {
    // Whoever may not reach it must not hear of it from another's question either.
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

  /** What is known already, without asking. */
  knownLimitsOf(url: string): RelayLimits | undefined {
    return this.#entries.get(`${url} undefined undefined`)?.known;
  }

  close(): void {
    this.#closing.abort();
  }

  async #ask(url: string, rules: AddressRules | undefined): Promise<RelayLimits> {
    if (isGateway(url)) return { authRequired: false };
    return limitsIn((await fetchRelayInformation(url, this.#closing.signal, rules)).document);
  }
}

/**
 * The information document (NIP-11) of a relay that is no gateway, as text, and the relay's clock as its HTTP
 * `Date` gives it (whole seconds; absent: it gave none). Rejects when there is none within three seconds. A
 * redirect is no answer: it could lead anywhere, and no relay needs one.
 *
 * @param rules where it may be; absent: anywhere
 */
export async function fetchRelayInformation(
  url: string,
  signal: AbortSignal,
  rules?: AddressRules,
): Promise<{ document: string; clockMs?: number }> {
  if (rules !== undefined) requireAllowedUrl(url, rules);
  // Not fetch: what would end it may be collected as garbage (nodejs/node#57736), and then it takes five
  // minutes.
  const { get } = url.startsWith('wss:') ? https : http;
  const request = get(url.replace(/^ws/, 'http'), {
    agent: false,
    ...(rules === undefined ? {} : { lookup: lookupWithin(rules, url) }),
    headers: { accept: 'application/nostr+json', 'user-agent': PACKAGE },
  });
  // Whoever waits is told below; without a listener an error in the middle of an answer would end the
  // process.
  request.on('error', () => undefined);
  // A timer of our own, and no event of the request: after some answers (101) the request tells nothing more.
  let end: () => void = () => undefined;
  const ended = new Promise<never>((_, reject) => {
    end = (): void => reject(new Error(`${shownRelay(url)} does not say what it is`));
  });
  const timer = setTimeout(end, FETCH_TIMEOUT_MS);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([answerTo(request, url), ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    request.destroy();
  }
}

async function answerTo(
  request: ClientRequest,
  url: string,
): Promise<{ document: string; clockMs?: number }> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw new Error(`HTTP ${status} from ${shownRelay(url)}`);
  const document = await readBounded(response);
  const clockMs = Date.parse(response.headers.date ?? '');
  return { document, ...(Number.isNaN(clockMs) ? {} : { clockMs }) };
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

/** Reads the `limitation` of an information document; what is no sensible number is no limit. */
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
