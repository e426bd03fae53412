import { AnotherRunGoesOn, RepublishFailed } from '../../client/errors';
import { startRepublish } from '../../client/start';
import { republish } from '../support/command-line';
import { fails } from '../support/fails';
import { Gate } from '../support/gate';
import { PATIENT } from '../support/patience';
import { republishInTerminal } from '../support/pseudo-terminal';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

/** What is asked of a run, and whose run it is that goes on. */
describe('requests', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // The gate holds a run for as long as several commands take.
    await saga.startWorker({ env: { ...PATIENT, REPUBLISH_BUNKER_TIMEOUT_MS: '120000' } });
  });
  afterAll(() => saga.stop());

  test('58: document types that are named as what every object has: the run ends with that failure', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const names = ['constructor', '__proto__', 'toString'];
    for (const name of names) {
      const run = await saga.start(id, { documentTypes: [name] });
      expect(await fails(RepublishFailed, run.result())).toMatchObject({
        type: 'UnknownDocumentType',
        message: expect.stringContaining(`unknown document type "${name}"; known are bitspire-cassettes`),
      });
      expect(await run.progress()).toMatchObject({ phase: 'done', blocked: { type: 'UnknownDocumentType' } });
    }
    const outcomes = (await saga.audits(id)).map(({ outcome, failure }) => [outcome, failure?.type]);
    expect(outcomes).toEqual(names.map(() => ['failed', 'UnknownDocumentType']));
    const types = names.flatMap((name) => ['--document-type', name]);
    expect(await republish(['start', id, ...types], saga.env)).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/error: UnknownDocumentType: .*"constructor", "__proto__", "toString"/),
    });
  }, 60_000);

  test('64: while a run of another request goes on, one’s own is refused, follows it knowingly, or waits for its turn', async () => {
    const gate = new Gate();
    gate.close();
    const { id, machines, bunker } = await saga.addOperator({
      machines: 2,
      bunker: { onRequest: gate.onRequest },
    });
    const [m1 = '', m2 = ''] = machines.map((machine) => machine.id);
    const other = await saga.start(id, { machineIds: [m1] });
    const ours = ['start', id, '--machine', m2, '--expected-pubkey', bunker.userPubkey, '--json'];
    const differs = ['no expected key', `machines ${m1}`];

    const refused = await republish([...ours, '--no-wait'], saga.env);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(
      `error: AnotherRunGoesOn: a run of another request is running (its request: ${differs.join('; ')}; begun at 20`,
    );
    expect(refused.stderr).toContain(`republish cancel ${id}`);
    const request = { machineIds: [m2], taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '' };
    const refusing = startRepublish(saga.client, id, { ...request, otherRequest: 'refuse' });
    expect((await fails(AnotherRunGoesOn, refusing)).message).toContain(other.runId);

    const leaving = republishInTerminal(ours, { env: saga.env, columns: 160 });
    saga.onStop(() => leaving.stop());
    await until(() => leaving.screen().includes('Ctrl-C ends the waiting'), 45_000);
    leaving.type('\u0003');
    expect(await leaving.ended).toBe(130);
    expect(leaving.screen()).toContain('nothing was started, and the other run continues');

    const attached = await startRepublish(saga.client, id, { ...request, otherRequest: 'attach' });
    expect(attached).toMatchObject({ runId: other.runId, attached: true, differs: [`machines ${m1}`] });
    const same = await saga.start(id, { machineIds: [m1, m1], reason: 'asked again', force: false });
    expect(same).toMatchObject({ runId: other.runId, attached: true, differs: [] });

    const own = await republish(ours, saga.env, '', (written) => {
      if (written.includes('waits for the end of a run of another request')) gate.open();
    });
    expect(own.code).toBe(0);
    expect(own.stderr).toContain(
      `waits for the end of a run of another request (its request: ${differs.join('; ')}; begun at 20`,
    );
    const theirs = await attached.result();
    const events = JSON.parse(own.stdout) as Record<string, string[]>;
    expect(Object.values(events).flat()).toHaveLength(2);
    for (const eventId of Object.values(theirs).flat()) expect(own.stdout).not.toContain(eventId);
    // Nothing was started by those who were refused, or who left.
    const [last, first, ...more] = await saga.audits(id);
    expect([first?.runId, last?.events, more]).toEqual([other.runId, events, []]);
  }, 120_000);
});
