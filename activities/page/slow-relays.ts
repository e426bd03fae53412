import type { RelayStanding } from '../../contract/relay-standing';
import type { HeldbackBy } from '../../rules/quorum';
import type { ActivityDependencies } from '../dependencies';
import type { PageAttempt } from './attempt';
import type { PageDocument, Trouble } from './document';

/**
 * The trouble of a document whose quorum needs a relay that takes events or questions slowly. It only waits,
 * as long as the relay lets something through now and then. If the relay has refused everything for as long
 * as a document may wait, the document fails, directly after a try.
 *
 * @param shortfall what the relays hold so far
 */
export function slowRelay(
  { patience }: Pick<ActivityDependencies, 'patience'>,
  heldback: HeldbackBy,
  shortfall: { message: string; relays?: Record<string, RelayStanding> },
): Trouble {
  const { message, relays } = shortfall;
  if (!heldback.wasTried || !letsNothingThrough({ patience }, heldback)) {
    const retryAfterMs = Math.max(1, heldback.untilMs - Date.now());
    return {
      type: 'RelayThrottled',
      message: waitingFor(heldback),
      final: false,
      isWait: true,
      retryAfterMs,
    };
  }
  const { relay, traffic, deniedForMs } = heldback;
  const deniedForS = Math.round(deniedForMs / 1_000);
  const nothingFor = `${relay} has let none of the ${traffic} through for ${deniedForS} s`;
  return {
    type: 'RelayThrottled',
    message: `${nothingFor}; ${message}`,
    final: true,
    ...(relays === undefined ? {} : { relays }),
  };
}

/** The relay has refused everything for as long as a document may wait. */
export function letsNothingThrough(
  { patience }: Pick<ActivityDependencies, 'patience'>,
  { deniedForMs }: HeldbackBy,
): boolean {
  return deniedForMs >= patience.documentTimeoutMs;
}

/**
 * `waits for wss://relay.example, which takes events slowly: until 14:03:10 UTC (rate-limited: slow down)`.
 */
export function waitingFor({ relay, traffic, words, untilMs }: HeldbackBy): string {
  const until = new Date(untilMs).toISOString().slice(11, 19);
  return `waits for ${relay}, which takes ${traffic} slowly: until ${until} UTC${inBrackets(words)}`;
}

/** ` (rate-limited: slow down)`, or nothing where the relay gave no reason. */
function inBrackets(words: string): string {
  return words === '' ? '' : ` (${words})`;
}

/**
 * Of signed documents that no relay got yet, as many as the relays have room for now. The others are not
 * looked at: relays that take events slowly count questions too.
 */
export function byTurn(
  { publisher }: Pick<ActivityDependencies, 'publisher'>,
  signed: readonly PageDocument[],
): { inTurn: PageDocument[]; spared: PageDocument[] } {
  let { room } = publisher.roomForEvents();
  const spared = signed.filter(({ row, sent }) => !row.sent && sent === undefined && (room -= 1) < 0);
  return { inTurn: signed.filter((document) => !spared.includes(document)), spared };
}

/** Notes for the documents that were not looked at: they wait, fail with the relay, or come back now. */
export function noteSpared(
  page: PageAttempt,
  spared: readonly PageDocument[],
  later: Map<PageDocument, number>,
): void {
  const { deps } = page;
  const denied = page.documents.find(({ trouble }) => trouble?.type === 'RelayThrottled' && trouble.final);
  const { room, waitsFor } = deps.publisher.roomForEvents();
  for (const document of spared) {
    if (denied?.trouble !== undefined) page.note(document, denied.trouble);
    else if (room === 0 && waitsFor !== undefined) {
      const message = `not sent yet, because others were refused${inBrackets(waitsFor.words)}`;
      page.note(document, slowRelay(deps, waitsFor, { message }));
    } else later.set(document, Date.now());
  }
}
