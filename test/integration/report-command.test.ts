import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startRepublish } from '../../client/start';
import type { RunReport } from '../../inspection/report/model';
import { republish } from '../support/command-line';
import { addOperators, startPatientSaga } from '../support/fleet';
import { ledgerText } from '../support/inspection';
import type { Saga } from '../support/saga';
import { until } from '../support/until';

describe('republish report', () => {
  let saga: Saga;
  const directory = mkdtempSync(path.join(tmpdir(), 'republish-report-'));

  beforeAll(async () => {
    saga = await startPatientSaga();
    await saga.startWorker();
  }, 120_000);
  afterAll(async () => {
    await saga.stop();
    rmSync(directory, { recursive: true });
  });

  test('of a run: as it stands while it goes on, and what became of it; one file, that no other is lost to', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
    const [first, failing] = machines.map((machine) => machine.id);
    await saga.database.query('UPDATE spirekeeper.dca_machines SET name = $1 WHERE id = $2', [
      '<b>Hall</b> & "2"',
      first,
    ]);
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      [failing],
    );
    const run = await saga.start(id, {
      onFailure: 'hold',
      reason: 'moved 😀',
      expectedPubkey: bunker.userPubkey,
      machineIds: machines.map((machine) => machine.id),
    });
    await until(async () => (await run.progress()).phase === 'holding', 60_000);

    const before = await ledgerText(saga);
    const now = await republish(['report', id, '--html', '-'], saga.env);
    expect(now).toMatchObject({ code: 0, stderr: '' });
    for (const said of [
      'Waits for a decision on 1 failed. 3 of 4 documents stand so far.',
      '<title>Operator ',
      '&lt;b&gt;Hall&lt;/b&gt; &amp; &quot;2&quot;',
      'moved 😀',
      'that of the account',
      'StateInvalid',
      `republish retry ${id}`,
      'The run is not over: this is how it stood',
    ])
      expect(now.stdout).toContain(said);
    expect(now.stdout).not.toContain('<script');
    expect(await ledgerText(saga)).toBe(before);

    const canary = saga.env.REPUBLISH_SECRETS_KEY ?? '';
    await run.cancel({ by: 'ada', reason: 'shop is closed' });
    await run.result().catch(() => undefined);
    const file = path.join(directory, 'report.html');
    for (let time = 0; time < 2; time += 1) {
      // The second one in place of the first.
      const written = await republish(['report', run.runId, '--html', file], saga.env);
      expect(written).toMatchObject({ code: 0, stdout: '' });
      expect(written.stderr).toContain(`written to ${file}`);
    }
    const html = readFileSync(file, 'utf8');
    expect(html).toContain('Cancelled by ada (shop is closed). 3 of 4 documents stand.');
    for (const { event, outcome } of await saga.ledger(run.runId))
      if (outcome === 'published') expect(html).toContain(event?.id);
    expect(html).not.toContain(canary);
    expect(readdirSync(directory)).toEqual(['report.html']);

    const letter = path.join(directory, 'letter.txt');
    writeFileSync(letter, 'dear operator');
    const refused = await republish(['report', run.runId, '--html', letter], saga.env);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('is no report') as string });
    expect(readFileSync(letter, 'utf8')).toBe('dear operator');
    const nowhere = await republish(
      ['report', run.runId, '--html', path.join(directory, 'no/r.html')],
      saga.env,
    );
    expect(nowhere).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Name a file in a folder') as string,
    });

    // An audited run needs no Temporal; an operator's page says that a newer run may go on.
    const away = { ...saga.env, TEMPORAL_ADDRESS: '127.0.0.1:9' };
    const told = JSON.parse((await republish(['report', run.runId, '--json'], away)).stdout) as RunReport;
    expect(told).toMatchObject({
      state: 'cancelled',
      request: { operatorUserId: id, reason: 'moved 😀', expectedPubkey: bunker.userPubkey },
      howFar: { done: 3, of: 4, percent: 75 },
      temporalAway: null,
    });
    const text = await republish(['report', id], away);
    expect(text).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('so a newer run may not be in this report') as string,
    });
    expect(text.stdout.replace(/\s+/g, ' ')).toMatch(
      /^operator .* Temporal could not be asked for a newer run\. Of the newest in the ledger: Cancelled by ada \(shop is closed\)\. 3 of 4 documents stand\. \(75 %\)/,
    );
    expect(text.stdout).toContain('Temporal could not be asked for the state of now');
  }, 180_000);

  test('of a fleet, newest or by its id; whoever is not known is said to be so', async () => {
    const none = await republish(['report', 'fleet'], saga.env);
    expect(none).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('AuditNotFound: no fleet') as string,
    });
    const nobody = `nobody-${randomUUID()}`;
    expect(await republish(['report', nobody], saga.env)).toMatchObject({
      code: 5,
      stderr: expect.stringContaining(
        `AuditNotFound: no run, no fleet and no operator "${nobody}"`,
      ) as string,
    });

    // Of a run that no worker has begun the ledger has nothing; of one that has ended so it never will.
    const unpolled = await startRepublish(saga.client, nobody, { taskQueue: 'nobody-polls-this' });
    const waiting = await republish(['report', nobody], saga.env);
    expect(waiting).toMatchObject({ code: 0, stderr: '' });
    expect(waiting.stdout).toContain('NoWorker: holds up all of it');
    expect(waiting.stdout).toContain('nobody polls task queue nobody-polls-this');
    await saga.client.workflow.getHandle(unpolled.workflowId).terminate();
    const ended = await republish(['report', nobody], saga.env);
    expect(ended).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(
        /AuditNotFound: Temporal says TERMINATED .* this ledger has nothing/,
      ) as string,
    });

    const [good, refusing] = await addOperators(saga, 2);
    refusing?.bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));
    const ids = [good?.id ?? '', refusing?.id ?? ''];
    const fleet = await republish(['fleet', 'start', ...ids, '--reason', 'moved', '--json'], saga.env);
    expect(fleet.code).toBe(3);
    const page = await republish(['report', 'fleet', '--html', '-'], saga.env);
    expect(page).toMatchObject({ code: 0, stderr: '' });
    for (const said of ['Incomplete. 1 of 2 operators are complete.', ...ids, 'SignerRefused', 'moved'])
      expect(page.stdout).toContain(said);
    const [run] = await saga.audits(ids[1] ?? '');
    const ofRun = await republish(['report', run?.runId ?? '', '--json'], saga.env);
    const { fleetRunId } = JSON.parse(ofRun.stdout) as RunReport;
    // It has its audit: nobody need ask Temporal.
    const away = { ...saga.env, TEMPORAL_ADDRESS: '127.0.0.1:9' };
    const ofFleet = await republish(['report', fleetRunId ?? '', '--json'], away);
    expect(JSON.parse(ofFleet.stdout)).toMatchObject({
      kind: 'fleet',
      state: 'incomplete',
      temporalAway: null,
    });
  }, 180_000);
});
