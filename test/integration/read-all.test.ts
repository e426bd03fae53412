import { readAll } from '../../nostr/relays/read-all';
import { RelayConnection } from '../../nostr/relays/connection';
import { type BareRelay, startBareRelay } from '../support/bare-relay';

const AUTHOR = 'a'.repeat(64);
const LIMIT = 64 * 1024 * 1024;

describe('reading all that a relay has', () => {
  let relay: BareRelay;
  let connection: RelayConnection;

  beforeEach(async () => {
    relay = await startBareRelay();
    connection = await RelayConnection.open({ url: relay.url, connectTimeoutMs: 5_000 });
  });
  afterEach(async () => {
    connection.close();
    await relay.stop();
  });

  const read = () =>
    readAll(connection, { kinds: [30078], authors: [AUTHOR] }, { replyTimeoutMs: 30_000, afterEoseMs: 0 });
  const event = (index: number, overrides: object) => ({
    id: index.toString(16).padStart(64, '0'),
    pubkey: AUTHOR,
    sig: '0'.repeat(128),
    kind: 30078,
    created_at: 1_700_000_000 - index,
    tags: [],
    content: '',
    ...overrides,
  });

  test('ends when the relay sends more than a process should keep', async () => {
    const content = 'x'.repeat(1_000_000);
    relay.script = {
      onRequest(id, _, peer) {
        for (let index = 0; index < 80; index += 1) peer.send('EVENT', id, event(index, { content }));
        peer.send('EOSE', id);
      },
    };
    const { events, incomplete } = await read();
    expect(incomplete).toBe('it sends more than can be kept');
    const kept = events.reduce((sum, each) => sum + each.content.length, 0);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThanOrEqual(LIMIT);
  }, 60_000);

  test('keeps nothing that was not asked for', async () => {
    relay.script = {
      onRequest(id, [filter], peer) {
        if (filter?.until === undefined) {
          peer.send('EVENT', id, event(1, { kind: 1 }));
          peer.send('EVENT', id, event(2, { pubkey: 'b'.repeat(64) }));
          peer.send('EVENT', id, event(3, {}));
        }
        peer.send('EOSE', id);
      },
    };
    const { events, incomplete } = await read();
    expect(incomplete).toBeUndefined();
    expect(events.map(({ created_at }) => created_at)).toEqual([1_700_000_000 - 3]);
  });
});
