import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools';
import { startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { startRelay } from '../../dev/relay';
import type { Verification } from '../../inspection/verify';
import { startBareRelay } from '../support/bare-relay';
import { republish } from '../support/command-line';
import { ledgerText, publishBeside } from '../support/inspection';
import { PATIENT } from '../support/patience';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

describe('republish verify', () => {
  let saga: Saga;
  const userSecretKey = generateSecretKey();
  let operator: SagaOperator;

  beforeAll(async () => {
    saga = await startSaga({ relays: 3 });
    Object.assign(saga.env, PATIENT);
    await saga.startWorker();
    operator = await saga.addOperator({ machines: 2, bunker: { userSecretKey } });
    await (await saga.start(operator.id)).result();
    await until(everywhere);
  }, 120_000);
  afterAll(() => saga.stop());

  // The run does not wait for the slowest relay.
  const everywhere = (): boolean =>
    saga.relays.every(
      (relay) => relay.events().filter(({ pubkey }) => pubkey === operator.bunker.userPubkey).length === 4,
    );

  const verify = async (args: string[] = [], env: Record<string, string> = {}, id = operator.id) => {
    const before = await ledgerText(saga);
    const { code, stdout, stderr } = await republish(['verify', id, ...args, '--json'], {
      ...saga.env,
      ...env,
    });
    expect(await ledgerText(saga)).toBe(before);
    if (stdout === '') throw new Error(stderr);
    return { code, ...(JSON.parse(stdout) as Verification) };
  };
  const urls = (): string[] => saga.relays.map(({ url }) => url);
  const stored = (index: number) =>
    saga.relays[0]
      ?.events()
      .find(
        ({ tags, pubkey }) =>
          pubkey === operator.bunker.userPubkey &&
          tags[0]?.[1] === `bitspire-fees:${operator.machines[index]?.atmPubkey}`,
      ) ?? fail();
  const fail = (): never => {
    throw new Error('the document is not on the relay');
  };

  test('everything current: exit code 0, each relay by itself, and no signature', async () => {
    const asked = operator.bunker.requests.length;
    const { code, documents, counts, quorum } = await verify();
    expect([code, quorum]).toEqual([0, 2]);
    expect(counts).toMatchObject({ current: 4, missing: 0, unknown: 0 });
    for (const { relays } of documents)
      expect(relays).toEqual(Object.fromEntries(urls().map((url) => [url, { state: 'current' }])));
    expect(operator.bunker.requests.length).toBe(asked);
  }, 120_000);

  test('missing on the quorum: exit code 3, with the relay that still has it', async () => {
    const empty = await Promise.all([startRelay(), startRelay()]);
    saga.onStop(() => Promise.all(empty.map((relay) => relay.stop())));
    const relays = [urls()[0] ?? '', ...empty.map(({ url }) => url)];
    const result = await verify([], { REPUBLISH_RELAYS: relays.join(',') });
    expect(result).toMatchObject({ code: 3, counts: { missing: 4, current: 0 } });
    expect(Object.values(result.documents[0]?.relays ?? {}).map(({ state }) => state)).toEqual([
      'current',
      'missing',
      'missing',
    ]);
    const text = await republish(['verify', operator.id], {
      ...saga.env,
      REPUBLISH_RELAYS: relays.join(','),
    });
    expect(text.stdout).toContain(`${relays[1]}: missing`);
    expect(text.stdout).toContain(`republish start ${operator.id}`);
  }, 120_000);

  test('older copies, forged ones, and relays that do not answer or do not prove anything', async () => {
    const current = stored(0);
    const { kind, tags, content, created_at } = current;
    const older = finalizeEvent({ kind, tags, content, created_at: created_at - 100 }, userSecretKey);
    const bare = await Promise.all([startBareRelay(), startBareRelay(), startBareRelay()]);
    saga.onStop(() => Promise.all(bare.map((relay) => relay.stop())));
    const [first, second, third] = bare;
    first?.keep(older);
    second?.keep(older);
    // Newer by its date, and not signed by the operator: as if it were not there.
    third?.keep({ ...current, id: 'f'.repeat(64), created_at: created_at + 100 });
    third?.keep(current);
    const args = ['--document-type', 'bitspire-fees', '--machine', operator.machines[0]?.id ?? ''];
    const env = { REPUBLISH_RELAYS: bare.map(({ url }) => url).join(',') };
    const behind = await verify(args, env);
    expect(behind).toMatchObject({ code: 3, documents: [{ verdict: 'older', eventId: current.id }] });
    expect(behind.documents[0]?.relays).toEqual({
      [first?.url ?? '']: { state: 'older', eventId: older.id },
      [second?.url ?? '']: { state: 'older', eventId: older.id },
      [third?.url ?? '']: { state: 'current' },
    });

    const gateway = await startNostrclientGateway({ relays: [first?.url ?? ''], wsId: 'canary-ws-id' });
    saga.onStop(() => gateway.stop());
    if (first) first.stored = [];
    if (second)
      second.script.onRequest = (subscription, _, peer) =>
        peer.send('CLOSED', subscription, 'auth-required: who are you?');
    const cannotSay = await verify(args, {
      REPUBLISH_RELAYS: [third?.url, second?.url, gateway.url].join(','),
    });
    expect(cannotSay).toMatchObject({ code: 1, documents: [{ verdict: 'unknown' }] });
    expect(Object.values(cannotSay.documents[0]?.relays ?? {})).toEqual([
      { state: 'current' },
      { state: 'unknown', detail: 'requires authentication (NIP-42)' },
      { state: 'unknown', detail: 'not seen through the gateway' },
    ]);
    expect(JSON.stringify(cannotSay)).not.toContain('canary-ws-id');
    const { stdout } = await republish(['verify', operator.id, ...args], {
      ...saga.env,
      REPUBLISH_RELAYS: [third?.url, second?.url, gateway.url].join(','),
    });
    expect(stdout).toContain('current: at least 2 of 3 relays have what was published last');
    expect(stdout).toMatch(/unknown is neither good nor bad: .* republish doctor\..*republish verify/s);
  }, 120_000);

  test('a newer document of somebody else stands, and machines without state or key are told apart', async () => {
    const { kind, tags, content, created_at, id } = stored(1);
    const newer = finalizeEvent({ kind, tags, content, created_at: created_at + 5 }, userSecretKey);
    for (const url of urls().slice(0, 2)) await publishBeside(url, newer);
    const { code, documents } = await verify(['--machine', operator.machines[1]?.id ?? '']);
    expect(code).toBe(0);
    expect(documents.find(({ documentType }) => documentType === 'bitspire-fees')).toMatchObject({
      verdict: 'newer',
      eventId: id,
      relays: {
        [urls()[0] ?? '']: { state: 'newer', eventId: newer.id },
        [urls()[2] ?? '']: { state: 'current' },
      },
    });

    const fresh = await saga.addOperator({ machines: 4 });
    const [unpublished, stateless, keyless, mistyped] = fresh.machines.map((machine) => machine.id);
    await saga.database.query('DELETE FROM spirekeeper.cassette_configs WHERE machine_id = $1', [stateless]);
    await saga.database.query("UPDATE spirekeeper.dca_machines SET machine_npub = '' WHERE id = $1", [
      keyless,
    ]);
    await saga.database.query("UPDATE spirekeeper.dca_machines SET machine_npub = 'bad' WHERE id = $1", [
      mistyped,
    ]);
    const never = await verify(['--document-type', 'bitspire-cassettes'], {}, fresh.id);
    expect(never.code).toBe(3);
    expect(never.documents.map(({ machineId, verdict }) => [machineId, verdict])).toEqual([
      [unpublished, 'missing'],
      [stateless, 'no state'],
      [keyless, 'not paired'],
      [mistyped, 'invalid key'],
    ]);
    // Nobody waits for a machine that is not paired. One with a mistyped key waits for ever.
    const only = (machineId = '') => verify(['--machine', machineId], {}, fresh.id);
    expect(await only(keyless)).toMatchObject({ code: 0 });
    expect(await only(mistyped)).toMatchObject({ code: 3 });
  }, 120_000);

  test('an operator, machine or type that is not known is named, with exit code 5', async () => {
    for (const [args, said] of [
      [['nobody'], 'OperatorNotFound'],
      [[operator.id, '--machine', 'x'], 'has no machine x'],
      [[operator.id, '--document-type', 'bitspire-cassette'], 'did you mean bitspire-cassettes?'],
    ] as const) {
      expect(await republish(['verify', ...args, '--json'], saga.env)).toMatchObject({
        code: 5,
        stdout: '',
        stderr: expect.stringContaining(said),
      });
    }
    const { pubkey } = { pubkey: getPublicKey(userSecretKey) };
    expect((await verify()).operatorPubkey).toBe(pubkey);
  }, 120_000);
});
