import { finalizeEvent, generateSecretKey, getPublicKey, nip19 } from 'nostr-tools';
import { matchFilters } from 'nostr-tools/filter';
import type { OrphanReport } from '../../inspection/orphans';
import { type BareRelay, startBareRelay } from '../support/bare-relay';
import { republish } from '../support/command-line';
import { startPatientSaga } from '../support/fleet';
import { ledgerText } from '../support/inspection';
import type { Saga, SagaOperator } from '../support/saga';

/** Relays send so many at a time, whatever they are asked for. */
const RELAY_PAGE = 7;

describe('republish orphans', () => {
  let saga: Saga;
  let operator: SagaOperator;
  let relays: BareRelay[];
  const oldKey = generateSecretKey();
  const oldPubkey = getPublicKey(oldKey);

  beforeAll(async () => {
    saga = await startPatientSaga();
    operator = await saga.addOperator({ machines: 2 });
    relays = await Promise.all([startBareRelay(), startBareRelay()]);
    saga.onStop(() => Promise.all(relays.map((relay) => relay.stop())));
    relays.forEach(sendInPages);
  });
  afterAll(() => saga.stop());

  const document = (d: string, created_at: number) =>
    finalizeEvent({ kind: 30078, tags: [['d', d]], content: 'x', created_at }, oldKey);
  const orphans = async (args: string[] = [], env: Record<string, string> = {}) => {
    const before = await ledgerText(saga);
    const result = await republish(
      ['orphans', operator.id, '--old-pubkey', nip19.npubEncode(oldPubkey), ...args],
      {
        ...saga.env,
        REPUBLISH_RELAYS: relays.map(({ url }) => url).join(','),
        ...env,
      },
    );
    expect(await ledgerText(saga)).toBe(before);
    return result;
  };

  test('finds through all pages what no type, machine or state stands behind, and tells what is covered', async () => {
    const [first, second] = operator.machines;
    await saga.database.query('DELETE FROM spirekeeper.cassette_configs WHERE machine_id = $1', [second?.id]);
    const gone = getPublicKey(generateSecretKey());
    const at = 1_700_000_000;
    const [here, there] = relays;
    // Several of each second, so that pages end within one.
    for (let index = 0; index < 30; index += 1)
      here?.keep(document(`retired-${index}:${gone}`, at + Math.floor(index / 5)));
    const covered = document(`bitspire-fees:${first?.atmPubkey}`, at + 90);
    here?.keep(document(`bitspire-fees:${first?.atmPubkey}`, at - 5));
    there?.keep(covered);
    there?.keep(document(`bitspire-cassettes:${second?.atmPubkey}`, at));
    there?.keep(document(`bitspire-fees:${gone}`, at));
    there?.keep({ ...document(`bitspire-fees:${gone}`, at + 99), content: 'forged' });
    there?.keep(finalizeEvent({ kind: 1, tags: [], content: 'a note', created_at: at }, oldKey));

    const { code, stdout } = await orphans(['--json']);
    const report = JSON.parse(stdout) as OrphanReport;
    expect([code, report.complete, report.oldPubkey]).toEqual([0, true, oldPubkey]);
    expect(report.covered).toEqual([
      expect.objectContaining({
        eventId: covered.id,
        documentType: 'bitspire-fees',
        machineId: first?.id,
        relays: [there?.url],
      }),
    ]);
    const having = (status: string) => report.orphans.filter((orphan) => orphan.status === status);
    expect(having('unknown type')).toHaveLength(30);
    expect(having('no state')).toMatchObject([{ machineId: second?.id }]);
    expect(having('unknown machine')).toMatchObject([{ d: `bitspire-fees:${gone}` }]);
    expect(report.relays).toEqual([
      { relay: here?.url, documents: 31, forged: 0 },
      { relay: there?.url, documents: 3, forged: 1 },
    ]);
    const text = await orphans();
    expect(text.stdout).toContain('32 orphans, 1 covered');
    expect(text.stdout).toContain('no machine of the operator has this key');
  }, 120_000);

  test('what a machine has published to the old key is named, and nobody else’s', async () => {
    const [first] = operator.machines;
    if (first === undefined) throw new Error('no machine');
    const state = (key: Uint8Array, created_at: number) =>
      finalizeEvent(
        {
          kind: 30078,
          tags: [
            ['d', `bitspire-cassettes-state:${getPublicKey(key)}`],
            ['p', oldPubkey],
          ],
          content: 'x',
          created_at,
        },
        key,
      );
    const newest = state(first.secretKey, 1_700_000_100);
    const [here, there] = relays;
    here?.keep(state(first.secretKey, 1_700_000_000));
    here?.keep(newest);
    there?.keep(newest);
    there?.keep(state(generateSecretKey(), 1_700_000_000));

    const report = JSON.parse((await orphans(['--json'])).stdout) as OrphanReport;
    expect(report.fromMachines).toEqual([
      {
        d: `bitspire-cassettes-state:${first.atmPubkey}`,
        eventId: newest.id,
        createdAt: '2023-11-14T22:15:00.000Z',
        relays: relays.map(({ url }) => url),
        machineId: first.id,
        machineName: first.name,
      },
    ]);
    const { stdout } = await orphans();
    expect(stdout).toContain('These are encrypted to the old key');
    expect(stdout).toContain(`${first.name} (${first.id})`);
  });

  test('a relay that is away or refuses is named, and the answer is called incomplete', async () => {
    const { code, stdout, stderr } = await orphans(['--json'], {
      REPUBLISH_RELAYS: [relays[1]?.url, 'ws://127.0.0.1:9'].join(','),
    });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      complete: false,
      relays: [{ documents: 3 }, { relay: 'ws://127.0.0.1:9', problem: expect.any(String) }],
    });
    expect(stderr).toContain('there may be more documents');
    // For a person before any count.
    const text = await orphans([], { REPUBLISH_RELAYS: [relays[1]?.url, 'ws://127.0.0.1:9'].join(',') });
    const [warning = '', table = ''] = ['did not answer to the end', 'documents  forged'].map((said) =>
      text.stdout.slice(0, text.stdout.indexOf(said)),
    );
    expect(text.stdout).toMatch(/^warning: 1 of 2 relays did not answer to the end/);
    expect(warning.length).toBeLessThan(table.length);
    expect(text.stdout).toMatch(/\nat least \d+ orphans?, /);
  }, 120_000);

  test('more of one second than a relay sends at a time cannot all be read, and that is said', async () => {
    const crowded = await startBareRelay();
    saga.onStop(() => crowded.stop());
    sendInPages(crowded);
    for (let index = 0; index < RELAY_PAGE + 3; index += 1)
      crowded.keep(document(`x-${index}`, 1_700_000_000));
    crowded.keep(document('y', 1_600_000_000));
    const { code, stdout } = await orphans(['--json'], { REPUBLISH_RELAYS: crowded.url });
    const report = JSON.parse(stdout) as OrphanReport;
    expect([code, report.complete]).toEqual([1, false]);
    expect(report.orphans.map(({ d }) => d)).toContain('y');
    expect(report.relays[0]?.problem).toContain('of one second');
  }, 120_000);

  test('the current key, and what is no key, are refused', async () => {
    const current = await orphans(['--old-pubkey', operator.bunker.userPubkey]);
    expect(current).toMatchObject({ code: 5, stderr: expect.stringContaining("the operator's current key") });
    expect(await orphans(['--old-pubkey', 'npub1x'])).toMatchObject({ code: 2 });
    expect(await republish(['orphans', operator.id], saga.env)).toMatchObject({ code: 2 });
  }, 120_000);
});

function sendInPages(relay: BareRelay): void {
  relay.script.onRequest = (subscription, filters, peer) => {
    const newestFirst = relay.stored
      .filter((event) => matchFilters(filters, event))
      .sort((a, b) => b.created_at - a.created_at);
    for (const event of newestFirst.slice(0, RELAY_PAGE)) peer.send('EVENT', subscription, event);
    peer.send('EOSE', subscription);
  };
}
