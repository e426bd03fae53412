import { nip19 } from 'nostr-tools';
import type { ToldAudit } from '../../inspection/audit';
import { republish } from '../support/command-line';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

const AWAY = 'ws://127.0.0.1:9';
const AWKWARD_NAME = 'Café, "North"\nhall 2';

describe('republish audit', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
    await saga.startWorker({
      env: {
        REPUBLISH_RELAYS: `${saga.env.REPUBLISH_RELAYS},${AWAY}`,
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000',
      },
    });
  });
  afterAll(() => saga.stop());

  test('tells each document by relay, who intervened and why, failures with remedy; as table, JSON and CSV', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 3 });
    const [named, failing, skipped] = machines.map((machine) => machine.id);
    const name = machines[2]?.name;
    await saga.database.query('UPDATE spirekeeper.dca_machines SET name = $1 WHERE id = $2', [
      AWKWARD_NAME,
      named,
    ]);
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = ANY ($1)',
      [[failing, skipped]],
    );
    const run = await saga.start(id, { onFailure: 'hold', reason: 'moved, "again"' });
    await until(async () => (await run.progress()).phase === 'holding', 60_000);
    const skip = await republish(
      ['skip', id, '--machine', skipped ?? '', '--by', 'ada', '--reason', 'shop is closed'],
      saga.env,
    );
    expect(skip.code).toBe(0);
    await republish(['cancel', id, '--by', 'bob', '--reason', 'enough'], saga.env);
    await run.result().catch(() => undefined);

    const json = await republish(['audit', run.runId, '--json'], saga.env);
    const [audit] = JSON.parse(json.stdout) as ToldAudit[];
    expect(audit).toMatchObject({
      runId: run.runId,
      operatorNpub: nip19.npubEncode(bunker.userPubkey),
      interventions: [
        { action: 'skip', by: 'ada', reason: 'shop is closed', machineId: skipped },
        { action: 'cancel', by: 'bob', reason: 'enough' },
      ],
    });
    const documents = audit?.documents ?? [];
    expect(documents).toHaveLength(6);
    for (const { outcome, relays, eventId, nevent } of documents.filter((each) => each.eventId !== null)) {
      expect(outcome).toBe('published');
      expect(
        Object.values(relays)
          .map(({ state }) => state)
          .sort(),
      ).toEqual(['holds', 'holds', 'unreachable']);
      expect(nip19.decode(nevent ?? '')).toMatchObject({
        type: 'nevent',
        data: { id: eventId, author: bunker.userPubkey },
      });
    }

    const text = await republish(['audit', id, '--full'], saga.env);
    expect(text.code).toBe(0);
    for (const said of [
      nip19.npubEncode(bunker.userPubkey),
      `skip (of machine ${name} (${skipped})) by ada: shop is closed`,
      'cancel by bob: enough',
      'on 2 of 3',
      `${AWAY}: unreachable`,
      'StateInvalid',
      'remedy for StateInvalid',
      ...documents.flatMap(({ nevent }) => nevent ?? []),
    ])
      expect(text.stdout).toContain(said);

    const { stdout, code } = await republish(['audit', id, '--csv'], saga.env);
    expect(code).toBe(0);
    const [header = [], ...rows] = parseCsv(stdout);
    const cells = rows.map((row) => Object.fromEntries(header.map((name, column) => [name, row[column]])));
    expect(cells.map((row) => [row.document_type, row.machine_id, row.machine_name, row.outcome])).toEqual(
      documents.map((row) => [row.documentType, row.machineId, row.machineName, row.outcome]),
    );
    expect(cells.map((row) => [row.event_id, row.nevent])).toEqual(
      documents.map((row) => [row.eventId ?? '', row.nevent ?? '']),
    );
    expect(cells[0]).toMatchObject({
      run_id: run.runId,
      reason: 'moved, "again"',
      machine_name: AWKWARD_NAME,
    });
    expect(cells.find((row) => row.outcome === 'failed')).toMatchObject({ failure_type: 'StateInvalid' });

    const head = audit?.hash ?? '';
    expect((await run.progress()).auditHead).toBe(head);
    expect(text.stdout).toContain(`row 1, head ${head}`);
    const fits = await republish(['audit', id, '--check', '--head', head], saga.env);
    expect(fits).toMatchObject({ code: 0, stderr: '' });
    expect(fits.stdout).toContain(`operator ${id}: 1 row matches, head ${head}`);
    expect(fits.stdout).toContain(`this hash is the one of row 1 of operator ${id}`);
    const other = await republish(['audit', '--head', 'f'.repeat(64), '--json'], saga.env);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('AuditChanged') as string });
    expect(JSON.parse(other.stdout)).toMatchObject([{ operatorUserId: id, head, misfit: null, kept: null }]);
    await saga.database.transaction(async (owner) => {
      await owner.query('SET LOCAL session_replication_role = replica');
      await owner.query("UPDATE republish.audit_log SET reason = 'a better one' WHERE run_id = $1", [
        run.runId,
      ]);
    });
    const changed = await republish(['audit', '--check'], saga.env);
    expect(changed.code).toBe(1);
    expect(changed.stdout).toContain(`operator ${id}: row 1 does not match (run ${run.runId}, `);
    expect(changed.stderr).toMatch(/^error: AuditChanged: .*\nremedy: /);
  }, 180_000);

  test('a run that ended before its documents has a line too, and --csv with --json is refused', async () => {
    const run = await saga.start('nobody');
    await run.result().catch(() => undefined);
    const [header = [], ...rows] = parseCsv((await republish(['audit', 'nobody', '--csv'], saga.env)).stdout);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.[header.indexOf('failure_type')]).toBe('OperatorNotFound');
    expect(await republish(['audit', 'nobody', '--csv', '--json'], saga.env)).toMatchObject({ code: 2 });
    expect(await republish(['audit', 'unheard-of', '--check'], saga.env)).toMatchObject({ code: 5 });
    expect(await republish(['audit'], saga.env)).toMatchObject({ code: 2 });
  }, 120_000);
});

/** RFC 4180, strictly: anything else throws. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  while (cell.lastIndex < text.length) {
    const at = cell.lastIndex;
    const match = cell.exec(text);
    if (match === null) throw new Error(`not CSV at ${at}: ${text.slice(at, at + 40)}`);
    rows.at(-1)?.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') rows.push([]);
  }
  rows.pop();
  const widths = new Set(rows.map((row) => row.length));
  if (widths.size !== 1) throw new Error(`rows of ${[...widths].join(' and ')} columns`);
  return rows;
}
