import type { RelayStanding } from '../../contract/relay-standing';
import type { HeldbackBy } from '../../rules/quorum';
import type { ActivityDependencies } from '../dependencies';
import type { Trouble } from './document';

/**
 * A document whose quorum waits for a relay that takes events or questions slowly. That is a wait and no trouble, as long
 * as the relay lets something through now and then. One that has refused everything for as long as a document may wait
 * ends it, directly after a try.
 *
 * @param shortfall what the relays have come to
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
  const nothingFor = `${relay} has let none of the ${traffic} through for ${Math.round(deniedForMs / 1_000)} s`;
  return {
    type: 'RelayThrottled',
    message: `${nothingFor}; ${message}`,
    final: true,
    ...(relays === undefined ? {} : { relays }),
  };
}

/** Whether it has refused everything for as long as a document may wait. */
export function letsNothingThrough(
  { patience }: Pick<ActivityDependencies, 'patience'>,
  { deniedForMs }: HeldbackBy,
): boolean {
  return deniedForMs >= patience.documentTimeoutMs;
}

/** `waits for wss://relay.example, which takes events slowly: until 14:03:10 UTC (rate-limited: slow down)`. */
export function waitingFor({ relay, traffic, words, untilMs }: HeldbackBy): string {
  const until = new Date(untilMs).toISOString().slice(11, 19);
  return `waits for ${relay}, which takes ${traffic} slowly: until ${until} UTC${words === '' ? '' : ` (${words})`}`;
}
