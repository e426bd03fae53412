import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { matchFilters } from 'nostr-tools/filter';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import type { Finding } from '../../inspection/doctor/finding';
import type { OrphanReport } from '../../inspection/orphans';
import type { RepublishPlan } from '../../inspection/plan';
import type { Verification } from '../../inspection/verify';
import type { SignedEvent } from '../../nostr/events';
import { startBareRelay } from '../support/bare-relay';
import { republish } from '../support/command-line';
import { type GatedRelay, startGatedRelay } from '../support/gated-relay';
import { startPatientSaga } from '../support/fleet';
import type { Saga, SagaOperator } from '../support/saga';

const WANTS = 'requires authentication (NIP-42)';

describe('inspection of a relay that requires authentication (NIP-42)', () => {
  let saga: Saga;
  let operator: SagaOperator;
  let gated: GatedRelay;
  let folder: string;
  let documents: SignedEvent[];

  beforeAll(async () => {
    // What a relay does not say in time would be unknown, too.
    saga = await startPatientSaga();
    const worker = await saga.startWorker();
    operator = await saga.addOperator({ machines: 2 });
    await (await saga.start(operator.id)).result();
    await worker.stop();
    documents = (saga.relays[0]?.events() ?? []).filter(({ kind }) => kind === 30078) as SignedEvent[];
    gated = await gatedRelay({});
    folder = mkdtempSync(path.join(tmpdir(), 'republish-asks-'));
    saga.onStop(() => rmSync(folder, { recursive: true }));
  }, 60_000);
  afterAll(() => saga.stop());

  const gatedRelay = async (options: Parameters<typeof startGatedRelay>[0]): Promise<GatedRelay> => {
    const relay = await startGatedRelay(options);
    saga.onStop(() => relay.stop());
    relay.stored.push(...documents);
    return relay;
  };
  const signatures = (): number =>
    operator.bunker.requests.filter(({ method }) => method === 'sign_event').length;
  const inspect = async <T>(args: string[], relay: { url: string } = gated) => {
    const before = signatures();
    const env = { ...saga.env, REPUBLISH_RELAYS: relay.url };
    const { code, stdout, stderr } = await republish([...args, '--json'], env);
    if (stdout === '') throw new Error(stderr);
    return { code, stderr, asked: signatures() - before, ...(JSON.parse(stdout) as T) };
  };

  test('signs nothing: each command says that it is unknown, what to do, and does not exit with 0', async () => {
    const verified = await inspect<Verification>(['verify', operator.id]);
    expect(verified).toMatchObject({ code: 1, asked: 0, counts: { unknown: 4 }, unknownRelays: [gated.url] });
    expect(verified.documents[0]?.relays).toEqual({ [gated.url]: { state: 'unknown', detail: WANTS } });
    const planned = await inspect<RepublishPlan>(['plan', operator.id]);
    expect(planned).toMatchObject({ code: 1, asked: 0, relays: [{ isUnknown: true, problem: WANTS }] });
    const old = getPublicKey(generateSecretKey());
    const orphans = await inspect<OrphanReport>(['orphans', operator.id, '--old-pubkey', old]);
    expect(orphans).toMatchObject({ code: 1, asked: 0, complete: false, unknownRelays: [gated.url] });
    expect(orphans.relays[0]?.problem).toContain('cannot show those of the old key to the new one');
    const { code, asked, ...findings } = await inspect<Finding[]>(['doctor', '--operator', operator.id]);
    expect([code, asked]).toEqual([1, 0]);
    expect(Object.values(findings)).toContainEqual(
      expect.objectContaining({ subject: gated.url, status: 'warn', message: `unknown: ${WANTS}` }),
    );
    expect(Object.values(findings)).toContainEqual(
      expect.objectContaining({
        subject: 'quorum',
        status: 'fail',
        message: expect.stringContaining('unknown'),
      }),
    );
    const text = await republish(['verify', operator.id], { ...saga.env, REPUBLISH_RELAYS: gated.url });
    expect(text.stdout.replace(/\s+/g, ' ')).toContain(`republish verify ${operator.id} --auth`);
    expect(gated.introductions).toEqual([]);
  }, 120_000);

  test('a relay that asks and then says nothing is the same', async () => {
    const silent = await gatedRelay({ refusing: false });
    const env = { ...saga.env, REPUBLISH_RELAYS: silent.url, REPUBLISH_RELAY_TIMEOUT_MS: '300' };
    const { code, stdout } = await republish(['verify', operator.id, '--json'], env);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ unknownRelays: [silent.url], counts: { unknown: 4 } });
  }, 60_000);

  test('--auth says that it may ask a person, has the signer tell it, and sees', async () => {
    const verified = await inspect<Verification>(['verify', operator.id, '--auth']);
    expect(verified).toMatchObject({ code: 0, asked: 1, counts: { current: 4 }, unknownRelays: [] });
    expect(verified.stderr.replace(/\s+/g, ' ')).toContain('may ask a person');
    expect(gated.introductions.at(-1)?.pubkey).toBe(operator.bunker.userPubkey);
    const planned = await inspect<RepublishPlan>(['plan', operator.id, '--auth']);
    expect(planned).toMatchObject({ code: 0, asked: 1, counts: { unchanged: 4 } });
    const { asked, ...findings } = await inspect<Finding[]>(['doctor', '--operator', operator.id, '--auth']);
    expect(asked).toBe(1);
    expect(Object.values(findings)).toContainEqual(
      expect.objectContaining({
        subject: 'quorum',
        status: 'ok',
        message: expect.stringContaining('reachable'),
      }),
    );
  }, 120_000);

  test.each(['login', 'connection'] as const)(
    'verify --auth authenticates again where the relay loses the %s once',
    async (loses) => {
      const relay = await gatedRelay({ loses });
      const verified = await inspect<Verification>(['verify', operator.id, '--auth'], relay);
      expect(verified).toMatchObject({ code: 0, asked: 2, counts: { current: 4 }, unknownRelays: [] });
    },
    60_000,
  );

  test('verify --as-machine asks as the machine, for its own documents, without the signer', async () => {
    const [machine] = operator.machines;
    const own = await gatedRelay({
      shows: ({ tags }, pubkey) => tags.some(([name, value]) => name === 'p' && value === pubkey),
    });
    const file = path.join(folder, 'machine.key');
    writeFileSync(file, `${Buffer.from(machine?.secretKey ?? []).toString('hex')}\n`);
    const verified = await inspect<Verification>(['verify', operator.id, '--as-machine', file], own);
    expect(verified).toMatchObject({ code: 0, asked: 0, counts: { current: 2 }, unknownRelays: [] });
    expect(own.introductions.map(({ pubkey }) => pubkey)).toEqual([machine?.atmPubkey]);

    writeFileSync(file, Buffer.from(generateSecretKey()).toString('hex'));
    const stranger = await republish(['verify', operator.id, '--as-machine', file], saga.env);
    expect(stranger).toMatchObject({ code: 5, stderr: expect.stringContaining('MachineNotFound') });
    writeFileSync(file, 'canary');
    const none = await republish(['verify', operator.id, '--as-machine', file], saga.env);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('holds no secret key') });
    expect(none.stderr).not.toContain('canary');
  }, 120_000);

  test('orphans --auth: a relay that shows documents only to their author is not believed to have none', async () => {
    const oldKey = generateSecretKey();
    const template = { kind: 30078, content: 'x', created_at: 1_700_000_000 };
    const old = finalizeEvent({ ...template, tags: [['d', 'retired:1']] }, oldKey);
    const find = async (shows: (event: SignedEvent, pubkey: string) => boolean) => {
      const relay = await gatedRelay({ shows });
      relay.stored.push(old);
      return inspect<OrphanReport>(
        ['orphans', operator.id, '--old-pubkey', getPublicKey(oldKey), '--auth'],
        relay,
      );
    };
    const hidden = await find((event, pubkey) => event.pubkey === pubkey);
    expect(hidden).toMatchObject({ code: 1, complete: false, orphans: [] });
    expect(hidden.relays[0]?.problem).toContain('cannot show those of the old key to the new one');
    expect(await find(() => true)).toMatchObject({ code: 0, complete: true, orphans: [{ eventId: old.id }] });
  }, 120_000);

  test.each(['#d', '#p'] as const)(
    'verify names a document that a relay does not find by %s',
    async (broken) => {
      const relay = await startBareRelay({
        onRequest(subscription, filters, peer, self) {
          const whole = filters.filter((filter) => filter[broken] === undefined);
          for (const event of self.stored)
            if (matchFilters(whole, event)) peer.send('EVENT', subscription, event);
          peer.send('EOSE', subscription);
        },
      });
      saga.onStop(() => relay.stop());
      relay.stored.push(...documents);
      const { code, documents: verified } = await inspect<Verification>(['verify', operator.id], relay);
      const other = broken === '#d' ? '#p' : '#d';
      expect(code).toBe(3);
      for (const { relays } of verified)
        expect(relays[relay.url]).toMatchObject({
          state: 'missing',
          detail: `found by ${other}, not by ${broken}`,
        });
    },
    60_000,
  );
});
