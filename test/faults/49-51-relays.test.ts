import { matchFilters } from 'nostr-tools/filter';
import { type BarePeer, type BareScript, startBareRelay } from '../support/bare-relay';
import { PATIENT } from '../support/patience';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';

describe('relays that ask, end and say what they like', () => {
  let saga: Saga;
  beforeAll(async () => {
    saga = await startSaga();
  });
  const workers: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.stop();
  });
  afterAll(() => saga.stop());

  /** Document relays that do this, and a worker that publishes to them. */
  async function publishTo(scripts: BareScript[], env: Record<string, string> = {}) {
    const relays = await Promise.all(scripts.map((script) => startBareRelay(script)));
    for (const relay of relays) saga.onStop(() => relay.stop());
    const worker = await saga.startWorker({
      env: { ...PATIENT, REPUBLISH_RELAYS: relays.map(({ url }) => url).join(','), ...env },
    });
    workers.push(worker);
    return relays;
  }
  const idsOf = (events: readonly { id: string }[]): Set<string> => new Set(events.map(({ id }) => id));
  const loginsOf = ({ bunker }: SagaOperator): number => {
    const logins = bunker.requests.filter(
      ({ method, params }) => method === 'sign_event' && params[0]?.includes('"kind":22242'),
    );
    // A bunker may get a question twice.
    return new Set(logins.map(({ id }) => id)).size;
  };

  test('49: a bunker’s relay whose AUTH leads nowhere; one that knows the last key only, and forgets it; one without an OK to AUTH', async () => {
    const operators: SagaOperator[] = [];
    /** The newest challenge of each connection, and the key that it is known by. */
    const challenges = new Map<number, string>();
    const last = new Map<number, string>();
    let hasForgotten = false;
    const demand = (peer: BarePeer): string => {
      challenges.set(peer.index, `challenge-${peer.index}-${Math.random()}`);
      peer.send('AUTH', challenges.get(peer.index));
      return 'auth-required: who are you?';
    };
    const knowsOnlyTheLast: BareScript = {
      onConnect: (peer) => void demand(peer),
      onAuth(event, peer) {
        const isNewest = event.tags.some(([, value]) => value === challenges.get(peer.index));
        if (isNewest) last.set(peer.index, event.pubkey);
        peer.send('OK', event.id, isNewest, isNewest ? '' : 'invalid: challenge');
      },
      onEvent(event, peer, self) {
        if (self.stored.length === 3 && !hasForgotten) {
          hasForgotten = true;
          last.clear();
        }
        if (last.get(peer.index) !== event.pubkey) return peer.send('OK', event.id, false, demand(peer));
        self.keep(event);
        peer.send('OK', event.id, true, '');
      },
      onRequest(id, filters, peer, self) {
        if (!filters.every(({ authors }) => authors?.[0] === last.get(peer.index)))
          return peer.send('CLOSED', id, demand(peer));
        self.answer(id, filters, peer);
      },
    };
    const known = new Set<number>();
    const withoutOk: BareScript = {
      onConnect: (peer) => peer.send('AUTH', 'challenge'),
      onAuth: (_, peer) => void known.add(peer.index),
      onEvent(event, peer, self) {
        if (!known.has(peer.index)) return peer.send('OK', event.id, false, 'auth-required: who are you?');
        self.keep(event);
        peer.send('OK', event.id, true, '');
      },
    };
    const relays = await publishTo([knowsOnlyTheLast, withoutOk, {}], { REPUBLISH_QUORUM: 'all' });
    const ofBunker = await startBareRelay({
      onConnect: (peer) => peer.send('AUTH', 'challenge'),
      onAuth: (event, peer) => peer.send('OK', event.id, false, 'error: nobody is known here'),
    });
    saga.onStop(() => ofBunker.stop());
    operators.push(
      await saga.addOperator({ machines: 2, bunker: { relays: [ofBunker.url] } }),
      await saga.addOperator({ machines: 2 }),
    );
    const runs = await Promise.all(operators.map(({ id }) => saga.start(id)));
    const results = await Promise.all(runs.map((run) => run.result()));
    const ids = results.flatMap((result) => Object.values(result).flat());
    expect(ids).toHaveLength(8);
    for (const relay of relays) expect(idsOf(relay.stored)).toEqual(new Set(ids));
    expect(hasForgotten).toBe(true);
    // One for each relay that demands it, and some more where it was forgotten: a challenge may come while
    // the answer to another one is signed. Not one for each question to a relay: these are dozens.
    const logins = operators.map(loginsOf);
    for (const count of logins) expect(count).toBeGreaterThanOrEqual(2);
    expect(Math.max(...logins)).toBeLessThanOrEqual(6);
  }, 120_000);

  test('50: EOSE never, EOSE first, CLOSED after the event: the quorum is made by what came', async () => {
    const full: BareScript = {
      onEvent: (event, peer) => peer.send('OK', event.id, false, 'blocked: full'),
    };
    const endsWith = (end: (id: string, peer: BarePeer) => void): BareScript => ({
      onRequest(id, filters, peer, self) {
        for (const event of self.stored) if (matchFilters(filters, event)) peer.send('EVENT', id, event);
        end(id, peer);
      },
    });
    const relays = await publishTo([
      // Two that answer the look, and take nothing.
      full,
      full,
      {
        onRequest(id, filters, peer, self) {
          peer.send('EOSE', id);
          // In the next turn: on a slow machine a time is longer than what is waited after EOSE.
          setImmediate(() => self.answer(id, filters, peer));
        },
      },
      endsWith(() => undefined),
      endsWith((id, peer) => peer.send('CLOSED', id, 'error: that is all')),
    ]);
    const operator = await saga.addOperator({ machines: 2 });
    const run = await saga.start(operator.id);
    const ids = Object.values(await run.result()).flat();
    expect(ids).toHaveLength(4);
    for (const relay of relays.slice(2)) {
      expect(idsOf(relay.stored)).toEqual(new Set(ids));
      // What stands is not sent again.
      expect(relay.countOf('EVENT')).toBe(4);
    }
  }, 120_000);

  test('51: NOTICE for OK, NOTICE for EOSE, close 1008, HTTP 403 and 429: the failure has the relay’s words', async () => {
    const scripts: BareScript[] = [
      {
        onEvent: (_, peer) => peer.send('NOTICE', 'your key is not on the list'),
        onRequest: (id, _, peer) => peer.send('EOSE', id),
      },
      { onRequest: (_, __, peer) => peer.send('NOTICE', 'this is a paid relay') },
      { onRequest: (_, __, peer) => peer.close(1008, 'too many reads') },
      { onUpgrade: () => ({ status: 403 }) },
      { onUpgrade: () => ({ status: 429, headers: { 'retry-after': '60' } }) },
    ];
    // The first alone answers the look: that is enough for an EVENT to be sent.
    await publishTo(scripts, {
      REPUBLISH_QUORUM: '1',
      REPUBLISH_RELAY_TIMEOUT_MS: '2000',
      // Longer than a relay counts as silent: the last try sends the event.
      REPUBLISH_DOCUMENT_TIMEOUT_MS: '3000',
    });
    const operator = await saga.addOperator({ machines: 1 });
    const run = await saga.start(operator.id, { documentTypes: ['bitspire-fees'] });
    await expect(run.result()).rejects.toMatchObject({ type: 'RepublishIncomplete' });
    const [audit] = await saga.audits(operator.id);
    const said = JSON.stringify(audit?.failures);
    const inPlaceOfAnswers = ['your key is not on the list', 'this is a paid relay', 'too many reads'];
    for (const words of [...inPlaceOfAnswers, 'HTTP 403', 'HTTP 429']) expect(said).toContain(words);
  }, 120_000);
});
