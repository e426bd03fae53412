import { seedOperator } from '../../dev/seed';
import { DOCUMENT_KIND } from '../../documents/document-type';
import { addBunkerSigner } from '../../pairing/signers';
import { plantCanaries, runUnderFault } from '../support/fault-run';
import { startNdkBunker } from '../support/ndk-bunker';
import { type Saga, startSaga } from '../support/saga';

/** A bunker that nobody here wrote: NDK's. */
describe('a bunker of another library', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // A copy of a request counts as a request.
    await saga.startWorker({
      env: { REPUBLISH_BUNKER_TIMEOUT_MS: '60000', REPUBLISH_RELAY_TIMEOUT_MS: '20000' },
    });
  });
  afterAll(() => saga.stop());

  async function addOperator(options: { machines: number; refusedKinds?: number[] }) {
    const { machines: count, ...ways } = options;
    const bunker = await startNdkBunker({ relays: saga.relays.map(({ url }) => url), ...ways });
    saga.onStop(() => bunker.stop());
    const id = `ndk-${bunker.userPubkey.slice(0, 8)}`;
    const machines = await seedOperator(saga.database, { id, pubkey: bunker.userPubkey, machines: count });
    await plantCanaries(
      saga,
      machines.map((machine) => machine.id),
    );
    const context = {
      database: saga.database,
      configuration: saga.configuration({ REPUBLISH_BUNKER_TIMEOUT_MS: '60000' }),
      operatorUserId: id,
      say: () => undefined,
    };
    const facts = await addBunkerSigner(context, bunker.uri());
    return { id, machines, bunker, facts };
  }

  test('43: the bunker of NDK is paired by its URI, and a whole run over it stands', async () => {
    const operator = await addOperator({ machines: 3 });
    expect(operator.facts.pubkey).toBe(operator.bunker.userPubkey);
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(6);
    const signatures = operator.bunker.requests.filter(({ method }) => method === 'sign_event');
    expect(signatures).toHaveLength(6);
  }, 60_000);

  test('43: what it does not allow it refuses with its own words: SignerRefused, and nothing stands', async () => {
    const operator = await addOperator({ machines: 1, refusedKinds: [DOCUMENT_KIND] });
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(ids).toEqual([]);
    expect(failure?.failures.map(({ type }) => type)).toEqual(['SignerRefused', 'SignerRefused']);
    // NDK says "Not authorized" to whatever is not allowed; its words are classified and not quoted.
    expect(failure?.failures[0]?.message).toContain('it does not know or allow this client');
  }, 60_000);
});
