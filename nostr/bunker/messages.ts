import { RepublishError, traitsOf } from '../../contract/failures';
import { approvalPage } from '../../rules/approval-page';
import { protocolWordIn, saysTooMuch } from '../relays/refusals';

/** Answer of a bunker (NIP-46). */
export interface BunkerAnswer {
  id: string;
  result: string;
  error: string;
}

/** Some bunkers (snstr) refuse a request that they had no time to read, and cannot name it. */
export function isForNobody({ id }: BunkerAnswer): boolean {
  return id === 'unknown' || id === '';
}

/** Reads a decrypted message; undefined when it is no answer. */
export function parseAnswer(text: string): BunkerAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, result, error } = value as Record<string, unknown>;
  if (typeof id !== 'string') return undefined;
  // NIP-44's key is the same in both directions: a relay may return our own request in the bunker's name.
  if (result === undefined && error === undefined) return undefined;
  return { id, result: resultText(result), error: errorText(error) };
}

/** NIP-46 has a text here. Some bunkers put the signed event there as an object. */
function resultText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : '';
}

/** Some bunkers give a code, or an object with code and message. An error without words is no error. */
function errorText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return value === 0 ? '' : String(value);
  if (typeof value !== 'object' || value === null) return '';
  const { code, message } = value as { code?: unknown; message?: unknown };
  return [code, message].filter((part) => typeof part === 'number' || typeof part === 'string').join(' ');
}

/** Why a bunker refused. */
export interface BunkerRefusal {
  /** In words of our own. */
  reason: string;
  /**
   * `final`: about this request. `later`: the same request may succeed in a while. `slower`: the same, and
   * the bunker was asked too much.
   */
  meaning: 'final' | 'later' | 'slower';
}

const WRONG_SECRET = 'the pairing secret is wrong or used up';

/** `unless`: the words count only where the text does not match this. */
type RefusalClass = readonly [
  words: RegExp,
  reason: string,
  meaning: BunkerRefusal['meaning'],
  unless?: RegExp,
];

const SAYS_NO = /denied|reject|declined/i;

/**
 * What bunkers say; the first match counts. Words for a wait or a rate come first (`unauthorized: pending
 * approval`, `blocked: rate limited`), unless the text also says no. Then come final words, because others
 * may stand next to them (`permission denied, please try again`).
 *
 * Some words of bunkers that were read or run: `pending approval` and `kind 30078 is not in
 * signing.allowed_kinds` (keycard-nostr-bunker), `refusing to sign this event` (go-nostr), `Not authorized`
 * (NDK), `Rate limited` (keep), `rejected` (nostr_bunker).
 */
const REFUSALS: readonly RefusalClass[] = [
  [
    /\b(pending|awaiting)\b|waiting for|\bnot approved within\b/i,
    'a person has to approve it there first',
    'later',
    SAYS_NO,
  ],
  [
    /rate.?limit|too many (requests|attempts)|slow down|throttl|quota exceeded|\b429\b/i,
    'rate limited',
    'slower',
    SAYS_NO,
  ],
  [
    /unauthori[sz]ed|not authori[sz]ed|unknown client|not connected|\bpermission/i,
    'it does not know or allow this client',
    'final',
  ],
  [/(invalid|wrong|bad|used|unknown) secret|secret .{0,20}(invalid|wrong|used)/i, WRONG_SECRET, 'final'],
  [
    /\bkinds?\b.{0,80}\bnot\b|\bnot\b.{0,80}\bkinds?\b|allowed_kinds/i,
    'it does not sign this kind of event for this client',
    'final',
  ],
  [
    /(?<!yet )\bnot approved\b(?! yet)|denied|reject|declined|refusing|\brefused to\b|not allowed|forbidden|disallow|blocked/i,
    'denied',
    'final',
  ],
  [
    /\bunapproved\b|not (yet )?approved|(needs?|requires?|must be) approv|approval (is )?(needed|required)/i,
    'a person has to approve it there first',
    'later',
  ],
  [
    /\bbusy\b|\bnot ready\b|try again|temporar|overload|service unavailable|internal error|connection refused/i,
    'it cannot do it now',
    'slower',
  ],
  [/invalid pass(word|phrase)|wrong pass(word|phrase)/i, 'its own password is wrong', 'final'],
  [/\block(ed)?\b|unlock|password|passphrase/i, 'it is locked', 'later'],
  [/time.?out|timed out|\b(request|approval) (has )?expired/i, 'it timed out', 'later'],
  [/expired/i, 'denied', 'final'],
  [/secret/i, WRONG_SECRET, 'final'],
  [
    /(unknown|invalid|no such) method|method not found|not supported|unsupported|not implemented/i,
    'it does not support this method',
    'final',
  ],
  [/no (such )?(key|user)|key not found|unknown (key|user)/i, 'it has no such key', 'final'],
];

/** The failure of each refusal, and when the same request may succeed: a person needs a while. */
const REFUSED = {
  final: { type: 'SignerRefused', retryAfterMs: undefined },
  slower: { type: 'SignerBusy', retryAfterMs: 5_000 },
  later: { type: 'SignerPending', retryAfterMs: 30_000 },
} as const satisfies Record<BunkerRefusal['meaning'], unknown>;

/** The bunker answered, and the answer cannot be used. It may give the same answer to the same request id. */
export function isUselessAnswer(error: RepublishError): boolean {
  return traitsOf(error.type).bunkerResult === 'refused';
}

/** The bunker answered with a refusal. */
export function isRefusal({ type }: RepublishError): boolean {
  return Object.values(REFUSED).some((refused) => refused.type === type);
}

/** What an answer to a request means. */
export type AnswerMeaning =
  | { kind: 'result'; result: string }
  | { kind: 'refusal'; refusal: RepublishError; meaning: BunkerRefusal['meaning'] }
  /** A person has to approve on this page. */
  | { kind: 'approval'; page: string }
  | { kind: 'nothing' };

export function meaningOfAnswer(method: string, { result, error }: BunkerAnswer): AnswerMeaning {
  if (result === 'auth_url') {
    // These requests are not worth a person's time.
    const page = method === 'switch_relays' || method === 'ping' ? undefined : approvalPage(error);
    return page === undefined ? { kind: 'nothing' } : { kind: 'approval', page };
  }
  if (error !== '') {
    const { reason, meaning } = refusalOf(error);
    const { type, retryAfterMs } = REFUSED[meaning];
    const refusal = new RepublishError(type, `the bunker refused ${method}: ${reason}`, { retryAfterMs });
    return { kind: 'refusal', refusal, meaning };
  }
  if (result !== '') return { kind: 'result', result };
  const message = `the bunker gave an empty answer to ${method}`;
  return {
    kind: 'refusal',
    refusal: new RepublishError('SignerReturnedWrongEvent', message),
    meaning: 'final',
  };
}

/** The rest of a long text says nothing more. */
const MAX_CLASSIFIED = 300;

/**
 * A bunker's text is a stranger's: it may hold a key or a state that it was asked to encrypt, in any
 * spelling, and it would end up in histories and logs. So it is classified and never quoted.
 */
export function refusalOf(error: string): BunkerRefusal {
  const text = error.slice(0, MAX_CLASSIFIED);
  const known = REFUSALS.find(([words, , , unless]) => words.test(text) && unless?.test(text) !== true);
  if (known === undefined)
    return {
      reason: 'for a reason of its own, which is not repeated here (see its own log)',
      meaning: 'final',
    };
  const [, reason, meaning] = known;
  return { reason, meaning };
}

/**
 * Why a bunker's relay refused: the protocol's word for it, and nothing else. The owner of the bunker may run
 * its relay too, so the relay may know the same secrets.
 */
export function presentableRefusal(message: string): string {
  return protocolWordIn(message) ?? 'for a reason of its own';
}

/**
 * The same for anything that a relay said. A NOTICE has no prefix. Undefined: the protocol has no word for
 * it.
 */
export function lastWordsOf(words: string | undefined): string | undefined {
  if (words === undefined) return undefined;
  return protocolWordIn(words) ?? (saysTooMuch(words) ? 'rate-limited' : undefined);
}
