import { addressOf, type SignedEvent } from '../../nostr/events';
import type { RelayIdentity } from '../../nostr/relays/identity';
import type { RelayPublisher } from '../../nostr/relays/publisher';
import type { Placement, Seen } from '../../nostr/relays/seen';

/** One document on its way: looked for, sent where it is missing, read back. */
export async function place(
  publisher: RelayPublisher,
  event: SignedEvent,
  options: { seen?: Seen; identity?: RelayIdentity } = {},
): Promise<Placement> {
  const { identity } = options;
  const seen = options.seen ?? (await publisher.look([addressOf(event)], identity))[0];
  const sent = await publisher.send(event, { seen, identity });
  const [placement] = await publisher.confirm([{ event, seen, sent }], identity);
  if (placement === undefined) throw new Error('no placement');
  return placement;
}
