import { type ActivityBench, startActivities } from '../support/activities';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy';
import { type Saga, startSaga } from '../support/saga';

const FEES = 'bitspire-fees';

describe('relays that are away', () => {
  let saga: Saga;
  let proxies: FaultProxy[];
  let bench: ActivityBench;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    proxies = await Promise.all(saga.relays.map(({ url }) => startFaultProxy(url)));
    for (const each of proxies) saga.onStop(() => each.stop());
    bench = startActivities(saga, {
      // The document waits for its relays, however long they take to come back.
      env: {
        REPUBLISH_RELAYS: proxies.map(({ url }) => url).join(','),
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000',
      },
    });
  });
  afterAll(() => saga.stop());

  test('73: nothing is sealed before a quorum has said what stands; what a late one shows is dated behind', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const [machine] = operator.machines;
    const aheadS = Math.floor(Date.now() / 1000) + 120;
    await saga.publishAs(operator, aheadS, [['d', `${FEES}:${machine?.atmPubkey}`]]);
    const { runId } = await bench.plan(operator, { documentTypes: [FEES] });
    await Promise.all(proxies.map((each) => each.down()));
    await expect(bench.call('republishDocuments', { runId, page: 0 })).rejects.toMatchObject({
      type: 'RelayQuorumNotReached',
      message: expect.stringContaining('0 of the 2 required relays report what stands at the address'),
    });
    expect((await saga.ledger(runId))[0]).toMatchObject({ event: null, outcome: null });
    expect(
      operator.bunker.requests.filter(({ method }) => method === 'sign_event').length,
    ).toBeLessThanOrEqual(1);

    await Promise.all(proxies.map((each) => each.up()));
    let published = 0;
    // A relay that could not be reached is left alone for a moment.
    for (let attempt = 0; published === 0 && attempt < 50; attempt += 1) {
      published = await bench
        .call('republishDocuments', { runId, page: 0 })
        .then(({ counts }) => counts.published ?? 0)
        .catch(() => 0);
      if (published === 0) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect((await saga.ledger(runId))[0]?.event?.created_at).toBe(aheadS + 1);
  }, 60_000);
});
