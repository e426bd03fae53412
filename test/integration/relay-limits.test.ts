import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { RepublishFailed } from '../../client/errors';
import { type BareRelay, startBareRelay } from '../support/bare-relay';
import { fails } from '../support/fails';
import { PATIENT } from '../support/patience';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';

/** Relays that name limits (NIP-11) are asked for them before anything is signed. */
describe('the limits of relays', () => {
  let saga: Saga;
  let relays: BareRelay[];

  beforeEach(async () => {
    saga = await startSaga();
    relays = await Promise.all([startBareRelay(), startBareRelay(), startBareRelay()]);
  });
  afterEach(async () => {
    await saga.stop();
    await Promise.all(relays.map((relay) => relay.stop()));
  });

  const limit = (which: number[], limitation: Record<string, unknown>): void => {
    for (const index of which) {
      const relay = relays[index];
      if (relay) relay.information = JSON.stringify({ limitation });
    }
  };
  const worker = () =>
    saga.startWorker({ env: { ...PATIENT, REPUBLISH_RELAYS: relays.map(({ url }) => url).join(',') } });
  const askedToSign = ({ bunker }: SagaOperator): number =>
    bunker.requests.filter(({ method }) => method === 'nip44_encrypt' || method === 'sign_event').length;

  test('a document that too few take for its size is named before the first signature', async () => {
    limit([0, 1], { max_content_length: 100 });
    await worker();
    const operator = await saga.addOperator({ machines: 1 });
    const asked = askedToSign(operator);
    const run = await saga.start(operator.id, { documentTypes: ['bitspire-fees'] });
    const failure = await fails(RepublishFailed, run.result());
    expect(failure.failures).toMatchObject([{ type: 'StateTooLarge', documentType: 'bitspire-fees' }]);
    expect(failure.failures[0]?.message).toContain(`${relays[0]?.url} takes 100 characters of content`);
    expect(failure.failures[0]?.message).toContain(`${relays[1]?.url} takes 100 characters of content`);
    expect(askedToSign(operator)).toBe(asked);
    expect(relays.map((relay) => relay.countOf('EVENT'))).toEqual([0, 0, 0]);
  });

  test('one relay that does not take it does not matter, and what is no information document does not either', async () => {
    limit([0], { max_message_length: 100 });
    for (const [index, information] of ['not json', `{"x":"${'y'.repeat(100_000)}"}`].entries()) {
      const relay = relays[index + 1];
      if (relay) relay.information = information;
    }
    await worker();
    const operator = await saga.addOperator({ machines: 2 });
    const events = await (await saga.start(operator.id)).result();
    expect(Object.values(events).flat()).toHaveLength(4);
    // Once for all documents, and once for the time. Not again for each of the four, also where an answer came
    // too late.
    for (const { informationRequests } of relays) {
      expect(informationRequests).toBeGreaterThanOrEqual(2);
      expect(informationRequests).toBeLessThanOrEqual(4);
    }
  });

  test('a date that too few take is refused before the signature, with the remedy', async () => {
    limit([0, 1, 2], { created_at_upper_limit: 60 });
    await worker();
    const userSecretKey = generateSecretKey();
    const operator = await saga.addOperator({ machines: 1, bunker: { userSecretKey } });
    const start = () => saga.start(operator.id, { documentTypes: ['bitspire-fees'] });
    await (await start()).result();
    const [stored] = relays[0]?.stored ?? [];
    const { tags = [], content = '' } = stored ?? {};
    const created_at = Math.floor(Date.now() / 1000) + 300;
    const ahead = finalizeEvent({ kind: 30078, created_at, tags, content }, userSecretKey);
    for (const relay of relays) relay.keep(ahead);
    const asked = askedToSign(operator);
    const failure = await fails(RepublishFailed, (await start()).result());
    expect(failure.failures).toMatchObject([{ type: 'NewerDocumentExists' }]);
    expect(failure.failures[0]?.message).toContain('takes events dated up to 60 s ahead');
    expect(askedToSign(operator)).toBe(asked);
  });
});
