import { generateSecretKey } from '../../nostr/keys';
import { type DevBunker, startBunker } from '../../dev/bunker';
import type { FaultAction } from '../../dev/bunker-faults';
import { freePort } from '../../embedded/free-port';
import { seedOperator } from '../../dev/seed';
import { checkCurrentSigner } from '../../pairing/current-signers';
import { addBunkerSigner } from '../../pairing/signers';
import { startBareRelay } from '../support/bare-relay';
import { countPublishable } from '../../inspection/publishable';
import { addOperatorWithCanaries, isEncryptionFor, plantCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';

/** What pairing finds out about a bunker, and what a run says of one that it cannot use. */
describe('knowing a bunker', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // A limit that a relay tells must not be missed because the machine is busy.
    await saga.startWorker({ env: { REPUBLISH_RELAY_TIMEOUT_MS: '20000' } });
  });
  afterAll(() => saga.stop());

  const context = (operatorUserId: string, timeoutMs = 20_000) => ({
    database: saga.database,
    configuration: saga.configuration({ REPUBLISH_BUNKER_TIMEOUT_MS: String(timeoutMs) }),
    operatorUserId,
    say: (text: string) => void said.push(text),
  });
  const said: string[] = [];
  const asked = ({ bunker }: Pick<SagaOperator, 'bunker'>, method: string): number =>
    bunker.requests.filter((request) => request.method === method).length;

  /** An operator whose bunker nobody has paired yet. */
  async function unpaired(id: string): Promise<SagaOperator> {
    const bunker = await startBunker({ relays: [saga.relays[0]?.url ?? ''] });
    saga.onStop(() => bunker.stop());
    const machines = await seedOperator(saga.database, { id, pubkey: bunker.userPubkey, machines: 1 });
    const operator = { id, machines, bunker };
    await plantCanaries(
      saga,
      machines.map((machine) => machine.id),
    );
    return operator;
  }
  const clientsOf = ({ requests }: DevBunker): Set<string> =>
    new Set(requests.filter(({ method }) => method === 'connect').map(({ clientPubkey }) => clientPubkey));

  test('42: a bunker where a person has to approve the pairing: it is said what to do, and the same URI works then', async () => {
    const operator = await unpaired('op-pending');
    const { bunker, id } = operator;
    bunker.setFaults(({ method }) => (method === 'connect' ? { error: 'pending approval' } : undefined));
    await expect(addBunkerSigner(context(id), bunker.uri())).rejects.toMatchObject({
      type: 'SignerPending',
      message: expect.stringContaining('a person has to approve it there first'),
      remedy: expect.stringMatching(/^Approve this client in the bunker.* same command with the same URI/),
    });
    bunker.setFaults(undefined);
    await expect(addBunkerSigner(context(id), bunker.uri())).resolves.toMatchObject({ matchesAccount: true });
    // The client that was approved is the one that came back.
    expect(clientsOf(bunker).size).toBe(1);
    expect((await runUnderFault(saga, operator)).ids).toHaveLength(2);
  }, 60_000);

  test('42: a URI whose relays all refuse: known as soon as they have, and not when a request has had its time', async () => {
    const { bunker, id } = await unpaired('op-refused');
    const refusing = await startBareRelay({
      onRequest: (subscription, _, peer) => peer.send('CLOSED', subscription, 'blocked: members only'),
    });
    saga.onStop(() => refusing.stop());
    const dead = `ws://127.0.0.1:${await freePort()}`;
    const uri = (...relays: string[]): string =>
      `bunker://${bunker.signerPubkey}?${relays.map((url) => `relay=${encodeURIComponent(url)}`).join('&')}`;
    await expect(addBunkerSigner(context(id, 600_000), uri(dead, refusing.url))).rejects.toMatchObject({
      type: 'SignerUnreachable',
      message: expect.stringMatching(/ws:\/\/127.*: refused; ws:\/\/127.*: subscription refused: blocked/),
    });
    expect(refusing.countOf('EVENT')).toBe(0);

    // One that takes the subscription and refuses the request. A moment is left for a bunker that has it all
    // the same.
    const mute = await startBareRelay({
      onEvent: (event, peer) => peer.send('OK', event.id, false, 'blocked: not this kind'),
    });
    saga.onStop(() => mute.stop());
    await expect(addBunkerSigner(context(id, 75_000), uri(dead, mute.url))).rejects.toMatchObject({
      type: 'SignerUnreachable',
      message: expect.stringContaining("the bunker's relays refused connect"),
    });
    await expect(addBunkerSigner(context(id), bunker.uri())).resolves.toMatchObject({ matchesAccount: true });
  }, 60_000);

  test('42: a bunker that refuses a client for asking too much is asked for less', async () => {
    const { bunker, id } = await unpaired('op-permissions');
    bunker.setFaults(({ method, params }) =>
      method === 'connect' && params[2]?.includes('22242') ? { error: 'exceeds the policy' } : undefined,
    );
    await expect(addBunkerSigner(context(id), bunker.uri())).resolves.toMatchObject({ matchesAccount: true });
    expect(said.join()).toContain('pairs only without sign_event:22242');
    expect(clientsOf(bunker).size).toBe(1);
  });

  test('46: a bunker that dates what it signs: found by the first document of a run, and by a check', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 10 });
    const { bunker, id } = operator;
    const redate = (): FaultAction => ({
      mutateEvent: ({ kind, tags, content }) =>
        bunker.signAsUser({ kind, tags, content, created_at: Math.floor(Date.now() / 1000) + 5 }),
    });
    bunker.setFaults(({ method }) => (method === 'sign_event' ? redate() : undefined));
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(ids).toEqual([]);
    expect(new Set(failure?.failures.map(({ type }) => type))).toEqual(new Set(['SignerChangesEvents']));
    expect(failure?.failures).toHaveLength(20);
    // The first of each page, and those that were with it already: how many, is up to the machine.
    expect(asked(operator, 'sign_event')).toBeLessThan(20);
    await expect(checkCurrentSigner(context(id))).rejects.toMatchObject({
      type: 'SignerChangesEvents',
      message: expect.stringContaining('has another created_at than it was given'),
    });
  }, 60_000);

  test('47: a bunker that has forgotten its clients: it is said, and another URI of it makes another client', async () => {
    const userSecretKey = generateSecretKey();
    const signerSecretKey = generateSecretKey();
    const operator = await addOperatorWithCanaries(saga, {
      machines: 1,
      bunker: { userSecretKey, signerSecretKey },
    });
    const { bunker, id } = operator;
    // Only what is swallowed takes this time. The rest must not reach it on a busy machine.
    const check = () => checkCurrentSigner(context(id, 5_000));
    bunker.setFaults(({ method }) => ({ swallow: method === 'sign_event' }));
    await expect(check()).rejects.toMatchObject({
      type: 'SignerTimeout',
      message: expect.stringMatching(/did not answer sign_event .* it answers a ping/),
    });
    bunker.setFaults(() => ({ swallow: true }));
    await expect(check()).rejects.toMatchObject({
      message: expect.stringMatching(
        /nor does it answer a ping.*forgotten this client.*republish signer add/,
      ),
    });
    await bunker.stop();

    const relays = [saga.relays[0]?.url ?? ''];
    const again = await startBunker({ relays, userSecretKey, signerSecretKey });
    saga.onStop(() => again.stop());
    await addBunkerSigner(context(id), again.uri());
    expect([...clientsOf(again)]).not.toEqual([...clientsOf(bunker)]);
    expect((await runUnderFault(saga, { ...operator, bunker: again })).ids).toHaveLength(2);
  }, 60_000);

  test('48: a document too large for every relay of the bunker is named in the plan; one relay that takes it is enough', async () => {
    const small = await startBareRelay();
    saga.onStop(() => small.stop());
    small.information = JSON.stringify({ limitation: { max_message_length: 1_000 } });
    const operator = await addOperatorWithCanaries(saga, { machines: 1, bunker: { relays: [small.url] } });
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(ids).toEqual([]);
    expect(failure?.failures.map(({ type }) => type)).toEqual(['StateTooLarge', 'StateTooLarge']);
    expect(failure?.failures[0]?.message).toContain(`${small.url} takes messages of 1000 bytes`);
    expect(operator.bunker.requests.some((request) => isEncryptionFor(operator, request))).toBe(false);
    // The deep check tries a state as large as the largest, whatever relays say to it.
    const { documents, largestStateBytes } = await countPublishable(saga.configuration(), operator.id);
    expect(documents).toBe(0);
    expect(largestStateBytes).toBeGreaterThan(0);

    const two = [small.url, saga.relays[0]?.url ?? ''];
    const other = await addOperatorWithCanaries(saga, { machines: 1, bunker: { relays: two } });
    expect((await runUnderFault(saga, other)).ids).toHaveLength(2);
  }, 60_000);
});
