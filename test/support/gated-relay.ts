import { randomUUID } from 'node:crypto';
import { verifyEvent } from 'nostr-tools/pure';
import type { SignedEvent } from '../../nostr/events';
import { type BarePeer, type BareRelay, startBareRelay } from './bare-relay';

export interface GatedRelay extends BareRelay {
  /** Answers to its challenges (kind 22242) that came, and were taken. */
  readonly introductions: SignedEvent[];
}

/**
 * A relay that answers reads only of those who have told it who they are (NIP-42).
 *
 * @param shows whether one who is known so is shown an event; all, if absent
 * @param refusing says no to a read, as most do; if not, it asks and is silent, as LNbits' own does
 * @param loses after its first answer to a read: the login, or the connection
 */
export async function startGatedRelay({
  shows = () => true,
  refusing = true,
  loses,
}: {
  shows?: (event: SignedEvent, pubkey: string) => boolean;
  refusing?: boolean;
  loses?: 'login' | 'connection';
} = {}): Promise<GatedRelay> {
  const introductions: SignedEvent[] = [];
  const challenges = new Map<BarePeer, string>();
  const known = new Map<BarePeer, string>();
  const challenge = (peer: BarePeer): void => {
    challenges.set(peer, randomUUID());
    peer.send('AUTH', challenges.get(peer));
  };
  let toLose = loses;
  const relay = await startBareRelay({
    onConnect: challenge,
    onAuth(event, peer) {
      const tags = Object.fromEntries(event.tags) as Record<string, string>;
      const isValid =
        event.kind === 22242 &&
        verifyEvent({ ...event }) &&
        tags.challenge === challenges.get(peer) &&
        tags.relay === relay.url;
      if (isValid) known.set(peer, event.pubkey);
      if (isValid) introductions.push(event);
      peer.send('OK', event.id, isValid, isValid ? '' : 'restricted: who is that?');
    },
    onRequest(subscription, filters, peer, self) {
      const pubkey = known.get(peer);
      if (pubkey === undefined) {
        if (refusing) peer.send('CLOSED', subscription, 'auth-required: members only');
        return;
      }
      const all = self.stored;
      self.stored = all.filter((event) => shows(event, pubkey));
      self.answer(subscription, filters, peer);
      self.stored = all;
      if (toLose === 'connection') peer.close(1001, 'bye');
      if (toLose === 'login') {
        known.delete(peer);
        challenge(peer);
      }
      toLose = undefined;
    },
  });
  return Object.assign(relay, { introductions });
}
