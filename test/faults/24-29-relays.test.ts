import { randomBytes } from 'node:crypto';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { startRepublish } from '../../client/start';
import { DOCUMENT_KIND } from '../../documents/document-type';
import { RelayConnection } from '../../nostr/relays/connection';
import type { SignedEvent } from '../../nostr/events';
import { type FaultProxy, type ProxyAction, startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

const RELAYS = 3;
const isEvent = (action: ProxyAction) => (frame: { type: string }) =>
  frame.type === 'EVENT' ? action : undefined;

/** Longer than a busy machine pauses a process: a relay is silent only where a test says so. */
const NOBODY_IS_LATE = { REPUBLISH_RELAY_TIMEOUT_MS: '6000', REPUBLISH_HEARTBEAT_TIMEOUT_MS: '12000' };

describe('relays misbehave', () => {
  let saga: Saga;
  /** The same, with a worker that gives no document up while a test lasts. */
  let patient: Saga;
  let proxies: FaultProxy[];
  const proxy = (index: number): FaultProxy => proxies[index] as FaultProxy;

  beforeAll(async () => {
    saga = await startSaga({ relays: RELAYS });
    proxies = await Promise.all(saga.relays.map(({ url }) => startFaultProxy(url)));
    for (const each of proxies) saga.onStop(() => each.stop());
    const env = through(proxies.map(({ url }) => url));
    const taskQueue = `${saga.env.REPUBLISH_TASK_QUEUE}-patient`;
    patient = { ...saga, start: (id, input) => startRepublish(saga.client, id, { ...input, taskQueue }) };
    await saga.startWorker({ env });
    await saga.startWorker({
      env: { ...env, REPUBLISH_TASK_QUEUE: taskQueue, REPUBLISH_DOCUMENT_TIMEOUT_MS: '45000' },
    });
  });
  afterEach(() => {
    for (const each of proxies) {
      each.setFault(undefined);
      each.demandAuthentication(undefined);
      each.dropConnections();
    }
  });
  afterAll(() => saga.stop());

  function through(urls: string[]): Record<string, string> {
    return { REPUBLISH_RELAYS: urls.join(','), ...NOBODY_IS_LATE };
  }
  const storedOn = (index: number, { bunker }: SagaOperator) =>
    (saga.relays[index]?.events() ?? []).filter(({ pubkey }) => pubkey === bunker.userPubkey);
  const sentTo = (each: FaultProxy, { bunker }: SagaOperator): string[] =>
    each.events().flatMap(({ id, pubkey }) => (pubkey === bunker.userPubkey ? [id] : []));

  test('24: a relay refuses connections, one has no name in the DNS: the others make the quorum', async () => {
    const other = await startSaga({ relays: RELAYS });
    try {
      await other.startWorker({
        env: {
          ...through([
            ...other.relays.map(({ url }) => url),
            'ws://127.0.0.1:9',
            'wss://no-such-relay.invalid',
          ]),
          REPUBLISH_DOCUMENT_TIMEOUT_MS: '45000',
        },
      });
      const operator = await addOperatorWithCanaries(other);
      const { ids, failure, audit } = await runUnderFault(other, operator, { check: { quorum: 3 } });
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(4);
      expect(audit.laggards.map(({ relay, state }) => `${relay} ${state}`)).toEqual(
        expect.arrayContaining(['ws://127.0.0.1:9 unreachable', 'wss://no-such-relay.invalid unreachable']),
      );
    } finally {
      await other.stop();
    }
  }, 60_000);

  test('24: slow OK, no OK, reads that are closed: what is unknown is read back', async () => {
    proxy(0).setFault(isEvent({ delayMs: 3_000 }));
    proxy(1).setFault(isEvent({ swallowAnswer: true }));
    proxy(2).setFault(({ type }) => (type === 'REQ' ? { answer: { closed: 'error: busy' } } : undefined));
    const operator = await addOperatorWithCanaries(saga);
    const { ids, failure, audit, run } = await runUnderFault(patient, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    expect(new Set(audit.laggards.map(({ relay }) => relay))).toEqual(new Set([proxy(2).url]));
    // Sent once: what stands is not sent again.
    expect(sentTo(proxy(0), operator)).toHaveLength(4);
    // Read back at once, not by the look with which a next attempt begins.
    expect(await saga.attempts(run.runId)).toEqual([1, 1]);
  }, 60_000);

  test('24: every relay is away for seconds: tried again with the same events', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    let away = false;
    operator.bunker.setFaults(async ({ method }) => {
      if (method === 'sign_event' && !away) {
        away = true;
        await Promise.all(proxies.map((each) => each.down()));
        setTimeout(() => void Promise.all(proxies.map((each) => each.up())), 300);
      }
      return undefined;
    });
    const { ids, failure } = await runUnderFault(patient, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(2);
  }, 60_000);

  /** How often each relay was sent an event of the operator's, the fewest first. */
  const timesSent = (operator: SagaOperator): number[] =>
    proxies.map((each) => sentTo(each, operator).length).sort((a, b) => a - b);

  test.each([
    ['pow: 28 bits needed', 'RelayRefused'],
    ['invalid: bad tag', 'RelayRefused'],
    ['restricted: members only', 'RelayRefused'],
    ['mute: nobody hears this', 'RelayRefused'],
    ['error: no space', 'RelayQuorumNotReached'],
    ['duplicate: have it already', 'RelayQuorumNotReached'],
    ['novel: a prefix of the future', 'RelayQuorumNotReached'],
    ['just no', 'RelayQuorumNotReached'],
  ])(
    '25: OK false with "%s" from every relay: %s, and nothing stands',
    async (message, type) => {
      for (const each of proxies) each.setFault(isEvent({ answer: { ok: false, message } }));
      const operator = await addOperatorWithCanaries(saga, { machines: 1 });
      const { ids, failure } = await runUnderFault(saga, operator, {
        input: { documentTypes: ['bitspire-fees'] },
      });
      expect(ids).toEqual([]);
      expect(failure?.failures).toMatchObject([{ type }]);
      expect(failure?.failures[0]?.message).toContain(message);
      const [fewest = 0, , most = 0] = timesSent(operator);
      // What is final for a relay is not tried there again, and what may pass three times at the least. The
      // sweep sends all that is signed and missing once more, where a relay says in time that it misses it.
      if (type === 'RelayRefused') expect([fewest >= 1, most]).toEqual([true, 2]);
      else expect([fewest >= 3, most >= 3 + 1]).toEqual([true, true]);
    },
    60_000,
  );

  test('26: dropped after the EVENT, before the OK: the same id again', async () => {
    const operator = await addOperatorWithCanaries(saga);
    for (const each of proxies) {
      let left = 2;
      each.setFault(({ type, event }) =>
        type === 'EVENT' && event?.kind === DOCUMENT_KIND && left-- > 0 ? { drop: 'after' } : undefined,
      );
    }
    const { ids, failure } = await runUnderFault(patient, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    for (const each of proxies) expect(ids).toEqual(expect.arrayContaining(sentTo(each, operator)));
  }, 60_000);

  /** Connections are shared and kept: a demand meets only those that are made after it. */
  function demandAuthentication(admits: (pubkey: string) => boolean, which = proxies): void {
    for (const each of which) {
      each.demandAuthentication(admits);
      each.dropConnections();
    }
  }
  /** Not those of other operators: a question of a run before may be asked again on a new connection. */
  const authentications = (each: FaultProxy, { bunker }: SagaOperator): number =>
    each.received.filter(
      ([type, event]) => type === 'AUTH' && (event as SignedEvent).pubkey === bunker.userPubkey,
    ).length;

  test('25, 26: AUTH demanded by every relay: answered once each with the operator’s key, then published', async () => {
    const operator = await addOperatorWithCanaries(saga);
    demandAuthentication((pubkey) => pubkey === operator.bunker.userPubkey);
    const { ids, failure, ledger } = await runUnderFault(patient, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    expect(new Set(ids)).toEqual(new Set(ledger.map(({ event }) => event?.id)));
    // A quorum has them (I1). The run does not wait for a relay beyond that whose login is signed late.
    await until(() => proxies.every((each) => authentications(each, operator) > 0));
    expect(proxies.map((each) => authentications(each, operator))).toEqual([1, 1, 1]);
    expect([0, 1, 2].filter((index) => storedOn(index, operator).length === 4).length).toBeGreaterThan(1);
  }, 60_000);

  test('26: AUTH refused by one relay: final there, the others make the quorum', async () => {
    demandAuthentication(() => false, [proxy(2)]);
    const operator = await addOperatorWithCanaries(saga);
    const { ids, failure, audit } = await runUnderFault(patient, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    expect(audit.laggards).toHaveLength(4);
    for (const laggard of audit.laggards) {
      expect(laggard).toMatchObject({
        relay: proxy(2).url,
        state: 'refused',
        detail: 'authentication refused: restricted: not a member',
      });
    }
    expect(storedOn(2, operator)).toEqual([]);
  }, 60_000);

  test('26: AUTH refused by every relay: named with the reason of each', async () => {
    demandAuthentication(() => false);
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(ids).toEqual([]);
    expect(failure?.failures).toMatchObject([{ type: 'RelayRefused' }, { type: 'RelayRefused' }]);
    for (const each of proxies) {
      expect(failure?.failures[0]?.message).toContain(
        `${each.url}: authentication refused: restricted: not a member`,
      );
    }
  }, 60_000);

  test('26: AUTH demanded, and the bunker does not sign the answer: retried until it does', async () => {
    const other = await startSaga({ relays: 1 });
    try {
      const members = await startFaultProxy(other.relays[0]?.url ?? '');
      other.onStop(() => members.stop());
      // The relays wait for the bunker's time, and each document longer than that.
      const patience = { REPUBLISH_BUNKER_TIMEOUT_MS: '1500', REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000' };
      await other.startWorker({ env: { ...through([members.url]), ...patience } });
      const operator = await addOperatorWithCanaries(other);
      demandAuthentication(() => true, [members]);
      let swallowed = 0;
      operator.bunker.setFaults(({ method, params }) =>
        method === 'sign_event' && String(params[0]).includes('22242') && swallowed++ < 2
          ? { swallow: true }
          : undefined,
      );
      const { ids, failure } = await runUnderFault(other, operator);
      expect(swallowed).toBeGreaterThan(2);
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(4);
    } finally {
      await other.stop();
    }
  }, 60_000);

  test('27: OK true and not stored, by a majority, for a while: not believed, tried again', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    const lies = [0, 0];
    [0, 1].forEach((index) =>
      proxy(index).setFault(({ type }) =>
        type === 'EVENT' && (lies[index] = (lies[index] ?? 0) + 1) <= 2
          ? { answer: { ok: true, message: '' } }
          : undefined,
      ),
    );
    const { ids, failure } = await runUnderFault(patient, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(2);
    // It goes to both; a quorum needs one of them.
    await until(() => Math.min(...lies) > 2);
  }, 60_000);

  test('27: OK true and not stored, for good: named, and not called published', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    for (const each of proxies.slice(0, 2)) each.setFault(isEvent({ answer: { ok: true, message: '' } }));
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(ids).toEqual([]);
    expect(failure?.failures.map(({ type }) => type)).toEqual([
      'RelayQuorumNotReached',
      'RelayQuorumNotReached',
    ]);
    for (const { message } of failure?.failures ?? []) {
      expect(message).toContain(`${proxy(0).url}: absent`);
      expect(message).toContain(`${proxy(1).url}: absent`);
    }
  }, 60_000);

  test('27: OK true and an older version kept: named as older', async () => {
    const { operator, stand } = await operatorWithStanding();
    await Promise.all([0, 1, 2].map((index) => stand(index, -600)));
    for (const each of proxies.slice(0, 2)) each.setFault(isEvent({ answer: { ok: true, message: '' } }));
    const { ids, failure } = await runUnderFault(saga, operator, {
      input: { documentTypes: ['bitspire-fees'] },
    });
    expect(ids).toEqual([]);
    expect(failure?.failures).toMatchObject([{ type: 'RelayQuorumNotReached' }]);
    expect(failure?.failures[0]?.message).toContain(`${proxy(0).url}: older`);
  }, 60_000);

  test('28: a part of the relays below the quorum: not called published, the failure has the reason of each', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    proxy(0).setFault(isEvent({ answer: { ok: false, message: 'error: busy' } }));
    proxy(1).setFault(isEvent({ answer: { ok: false, message: 'error: disk is full' } }));
    const { ids, failure, audit } = await runUnderFault(saga, operator);
    expect(ids).toEqual([]);
    expect(storedOn(2, operator)).toHaveLength(2);
    for (const { type, message } of failure?.failures ?? []) {
      expect(type).toBe('RelayQuorumNotReached');
      expect(message).toContain('1 of the 2 required relays');
      expect(message).toContain(`${proxy(0).url}: refused (error: busy)`);
      expect(message).toContain(`${proxy(1).url}: refused (error: disk is full)`);
    }
    expect(audit.failures).toHaveLength(2);

    // Healed, the next run takes up what is signed.
    proxies.forEach((each) => each.setFault(undefined));
    const next = await runUnderFault(patient, operator);
    expect(next.failure).toBeUndefined();
    expect(next.ids.toSorted()).toEqual(
      storedOn(2, operator)
        .map(({ id }) => id)
        .sort(),
    );
    expect(operator.bunker.requests.filter(({ method }) => method === 'sign_event')).toHaveLength(2);
  }, 60_000);

  test('28: no relay takes it, for good: said at once, with the reason of each', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    for (const [index, each] of proxies.entries())
      each.setFault(isEvent({ answer: { ok: false, message: `blocked: reason ${index}` } }));
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(ids).toEqual([]);
    for (const { type, message } of failure?.failures ?? []) {
      expect(type).toBe('RelayRefused');
      for (const index of proxies.keys()) expect(message).toContain(`blocked: reason ${index}`);
    }
    // Final for the relay: one EVENT for each document, and one by the sweep where the relay answers in time.
    const [fewest = 0, , most = 0] = timesSent(operator);
    expect([fewest >= 2, most]).toEqual([true, 2 + 2]);
  }, 60_000);

  /** An operator with one machine, and a way to let a document stand at its fees' address beforehand. */
  async function operatorWithStanding() {
    const userSecretKey = generateSecretKey();
    const operator = await addOperatorWithCanaries(saga, { machines: 1, bunker: { userSecretKey } });
    const stand = async (relay: number, aheadS: number): Promise<SignedEvent> => {
      const event = finalizeEvent(
        {
          kind: DOCUMENT_KIND,
          created_at: Math.floor(Date.now() / 1000) + aheadS,
          tags: [['d', `bitspire-fees:${operator.machines[0]?.atmPubkey}`]],
          content: randomBytes(99).toString('base64'),
        },
        userSecretKey,
      );
      const connection = await RelayConnection.open({
        url: saga.relays[relay]?.url ?? '',
        connectTimeoutMs: 20_000,
      });
      expect(await connection.publish(event, 20_000)).toMatchObject({ kind: 'ok', accepted: true });
      connection.close();
      return event;
    };
    return { operator, stand };
  }

  /** A quorum of answers is then that of the other two: what stands on either of them is seen. */
  const refuseReadsOfTheFirst = (): void =>
    proxy(0).setFault(({ type }) => (type === 'REQ' ? { answer: { closed: 'error: busy' } } : undefined));

  test.each([
    ['of this second', 0],
    ['a minute ahead', 60],
  ])(
    '29: a document %s stands at the new address on one relay: ours is dated behind it',
    async (_when, aheadS) => {
      const { operator, stand } = await operatorWithStanding();
      const standing = await stand(1, aheadS);
      refuseReadsOfTheFirst();
      const { ids, failure, ledger } = await runUnderFault(patient, operator);
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(2);
      const fees = ledger.find(({ documentType }) => documentType === 'bitspire-fees')?.event;
      expect(fees?.created_at).toBeGreaterThan(standing.created_at);
      expect(storedOn(1, operator).map(({ id }) => id)).not.toContain(standing.id);
    },
    60_000,
  );

  test('29: a document 30 minutes ahead: refused with a remedy, and the other one is published', async () => {
    const { operator, stand } = await operatorWithStanding();
    const standing = await stand(1, 1_800);
    refuseReadsOfTheFirst();
    const { ids, failure } = await runUnderFault(patient, operator);
    expect(ids).toHaveLength(1);
    expect(failure?.failures).toMatchObject([{ type: 'NewerDocumentExists', documentType: 'bitspire-fees' }]);
    expect(failure?.failures[0]?.message).toContain('15 minutes');
    expect(storedOn(1, operator).map(({ id }) => id)).toContain(standing.id);
  }, 60_000);

  test('29: a newer document appears between seal and publication: it stands, nothing older comes back', async () => {
    const { operator, stand } = await operatorWithStanding();
    let theirs: SignedEvent | undefined;
    operator.bunker.setFaults(async ({ method, params }) => {
      if (method === 'sign_event' && String(params[0]).includes('bitspire-fees') && theirs === undefined) {
        theirs = await stand(0, 5);
        await stand(1, 5);
      }
      return undefined;
    });
    const { ids, failure, audit } = await runUnderFault(patient, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(1);
    expect(audit.superseded).toMatchObject([{ documentType: 'bitspire-fees' }]);
    expect(storedOn(0, operator).map(({ id }) => id)).toContain(theirs?.id);
  }, 60_000);
});
