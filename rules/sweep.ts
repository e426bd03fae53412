import { type Dated, isNewer, newestOf } from './newest';
import { decidedBy, shownBy, type SightingOf } from './quorum';

export interface SweptVerdict {
  /**
   * `newer`: a newer event of the author stands at the address. `unknown`: too few relays show it, but relays
   * that did not answer could complete the quorum. `lost`: they could not.
   */
  kind: 'stands' | 'newer' | 'unknown' | 'lost';
  /** Relays that have it. */
  holding: number;
  /** The newer event. */
  by: string;
}

/** The verdict of the sweep on one document, from the answers of the relays. */
export function sweptVerdict(
  event: Dated,
  shown: readonly SightingOf<Dated>[],
  required: number,
): SweptVerdict {
  const events = shown.flatMap((each) => shownBy(each) ?? []);
  const holding = events.filter(({ id }) => id === event.id).length;
  const newest = newestOf(events);
  const silent = shown.filter(
    (each) => (each.kind === 'unseen' || each.kind === 'unknown') && decidedBy(each, event) === undefined,
  ).length;
  const verdict = (kind: SweptVerdict['kind']): SweptVerdict => ({ kind, holding, by: newest?.id ?? '' });
  if (newest !== undefined && isNewer(newest, event)) return verdict('newer');
  if (holding >= required) return verdict('stands');
  return verdict(holding + silent >= required ? 'unknown' : 'lost');
}
