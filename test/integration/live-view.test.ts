import { republish } from '../support/command-line';
import { Gate, holdAfter } from '../support/gate';
import {
  type PseudoTerminal,
  type PseudoTerminalOptions,
  republishInTerminal,
} from '../support/pseudo-terminal';
import { type Saga, startSaga } from '../support/saga';
import { until as untilWithin } from '../support/until';

jest.setTimeout(150_000);

const CTRL_C = '\u0003';
/** Colours and other attributes (SGR). */
const COLOURS = /\u001b\[[0-9;]*m/;

/** What `start` and `watch` show to a person before a real terminal. */
describe('the live view', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // Nothing here is about a bunker that is slow, only the machine may be.
    saga.env.REPUBLISH_BUNKER_TIMEOUT_MS = '15000';
    // Documents stand page by page: with small ones the bar is seen between its ends.
    await saga.startWorker({ env: { REPUBLISH_DOCUMENTS_PER_PAGE: '6' } });
  });
  afterAll(() => saga.stop());

  const inTerminal = (
    args: string[],
    { env = {}, ...options }: PseudoTerminalOptions = {},
  ): PseudoTerminal => {
    const terminal = republishInTerminal(args, { env: { ...saga.env, ...env }, ...options });
    saga.onStop(() => terminal.stop());
    return terminal;
  };
  const until = (holds: () => boolean): Promise<void> => untilWithin(holds, 45_000);
  /** A run that goes on as long as the test needs it: two pages stand, the others wait for the bunker. */
  const heldOperator = async () => {
    const operator = await saga.addOperator({ machines: 40 });
    holdAfter(operator.bunker, 12);
    return operator;
  };

  test('start: bar, rate, time left and a table, redrawn in place; what became of it stays', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 24 });
    // It stays between its ends until the bar was seen there: first at nothing, then at a part of it.
    const atNothing = holdAfter(bunker, 0);
    const terminal = inTerminal(['start', id]);
    await until(() => terminal.screen().includes('0 of 48'));
    const atPart = holdAfter(bunker, 18);
    atNothing.release();
    await until(() => /█+░+ +\d+%\s+\d+ of 48 {2}[\d.]+\/s {2}\d+ (s|min) left/.test(terminal.screen()));
    expect(terminal.screen()).toContain('Ctrl-C detaches; the run continues.');
    expect(terminal.screen()).toMatch(/^bitspire-fees +24 +\d+ +0 +0 +0 +0$/m);
    // Drawn many times, and there once; what was to type while it went on is gone.
    await until(() => terminal.written().split('document type ').length > 4);
    atPart.release();
    expect(await terminal.ended).toBe(0);
    const [frame = '', ids = ''] = terminal.screen().split('complete: 48 published');
    expect(ids).toMatch(/^, 0 unchanged, 0 superseded, 0 skipped\naudit head: [0-9a-f]{64}$/);
    expect(frame).not.toContain('Ctrl-C');
    expect(terminal.written()).toMatch(/\u001b\[\?25h(?![\s\S]*\u001b\[\?25l)/);
  });

  test('Ctrl-C detaches: it says that the run goes on and how to come back, exits 130, and the run goes on', async () => {
    const { id } = await heldOperator();
    const terminal = inTerminal(['start', id]);
    await until(() => terminal.screen().includes('of 80'));
    terminal.type(CTRL_C);
    expect(await terminal.ended).toBe(130);
    expect(terminal.screen()).toContain('detached; the run continues. Come back with: republish watch');
    expect(terminal.screen()).toContain(`republish cancel ${id}`);
    // The cursor is there again.
    expect(terminal.written().lastIndexOf('\u001b[?25h')).toBeGreaterThan(
      terminal.written().lastIndexOf('\u001b[?25l'),
    );

    const again = inTerminal(['watch', id]);
    await until(() => again.screen().includes('of 80'));
    expect((await republish(['cancel', id], saga.env)).code).toBe(0);
    expect(await again.ended).toBe(1);
    expect(again.screen()).toContain('error: Cancelled: the run was cancelled');
    expect(again.screen()).toContain('remedy: Start again: only what is missing is done.');
  });

  test('the approval page is shown whole, in a narrow terminal too', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    const page = `https://bunker.example.com/approve/${'0123456789'.repeat(8)}`;
    let approve: () => void = () => undefined;
    const approved = new Promise<void>((resolve) => (approve = resolve));
    bunker.setFaults(({ method }) =>
      method === 'sign_event' ? { authUrl: page, after: approved } : undefined,
    );
    const terminal = inTerminal(['start', id], {
      columns: 60,
      env: { REPUBLISH_APPROVAL_TIMEOUT_MS: '30000' },
    });
    await until(() => terminal.screen().replaceAll('\n', '').includes(`approve here: ${page}`));
    expect(terminal.screen()).toContain('The bunker waits for a person');
    approve();
    expect(await terminal.ended).toBe(0);
    expect(terminal.screen()).not.toContain('approve here');
  });

  test('what waits and what is retried: which document, since when, why; which page, and when it is tried again', async () => {
    const hurried = await startSaga();
    try {
      Object.assign(hurried.env, {
        REPUBLISH_BUNKER_TIMEOUT_MS: '2000',
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000',
        REPUBLISH_RETRY_INTERVAL_MS: '3000',
        // A lost worker would be another reason to retry.
        REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000',
      });
      await hurried.startWorker();
      const { id, bunker, machines } = await hurried.addOperator({ machines: 2 });
      const [stuck] = machines;
      bunker.setFaults(({ method, params }) =>
        method === 'sign_event' && String(params[0]).includes(`bitspire-fees:${stuck?.atmPubkey}`)
          ? { swallow: true }
          : undefined,
      );
      const terminal = republishInTerminal(['start', id], { env: hurried.env, columns: 120 });
      hurried.onStop(() => terminal.stop());
      // The others stand, and are seen to. On a busy machine they too may be late at first.
      await until(() =>
        [
          /retrying 1/,
          /75% +3 of 4/,
          /^encrypted 4, signed 3, sent 3, standing 3$/m,
          /waiting 1 of 1 without outcome/,
          /SignerTimeout: the bunker did not answer/,
        ].every((shown) => shown.test(terminal.screen())),
      );
      const screen = terminal.screen();
      expect(screen).toMatch(/bitspire-fees, 2 machines +attempt \d+, (in work|next in \d+ s|next now)/);
      expect(screen).toMatch(
        new RegExp(
          `bitspire-fees of machine ${stuck?.name} \\(${stuck?.id}\\) +for \\d+ s, tried (once|\\d times)`,
        ),
      );
      const { stdout } = await republish(['status', id, '--json'], hurried.env);
      expect(JSON.parse(stdout)).toMatchObject({
        status: 'RUNNING',
        stages: { encrypted: 4, signed: 3, standing: 3 },
        waiting: [
          { documentType: 'bitspire-fees', machineId: stuck?.id, since: expect.any(String) as string },
        ],
        retrying: [
          {
            activity: 'republishDocuments',
            documentType: 'bitspire-fees',
            machines: { from: 1, to: 2, of: 2 },
            type: 'SignerTimeout',
          },
        ],
      });
      bunker.setFaults(undefined);
      expect(await terminal.ended).toBe(0);
    } finally {
      await hurried.stop();
    }
  });

  test('a held and a paused run say what to type', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'no' } : undefined));
    const terminal = inTerminal(['start', id, '--hold']);
    await until(() => terminal.screen().includes('Waits for a decision on 2 failed'));
    for (const command of ['retry', 'skip', 'cancel'])
      expect(terminal.screen()).toContain(`republish ${command} ${id}`);
    expect(terminal.screen()).toContain('SignerRefused: Allow nip44_encrypt and sign_event:30078');
    await republish(['pause', id, '--by', 'ada', '--reason', 'lunch'], saga.env);
    await until(() => terminal.screen().includes('Paused by ada: lunch'));
    expect(terminal.screen()).toContain(`republish resume ${id}`);
    bunker.setFaults(undefined);
    await republish(['resume', id], saga.env);
    await republish(['retry', id], saga.env);
    expect(await terminal.ended).toBe(0);
  });

  test('a terminal that becomes narrower, lower and wider shows one frame, without a line that is too long', async () => {
    const { id } = await heldOperator();
    const terminal = inTerminal(['start', id], { columns: 120, rows: 30 });
    await until(() => terminal.screen().includes('of 80'));
    for (const [columns, rows] of [
      [40, 30],
      [40, 8],
      [100, 24],
    ] as const) {
      const before = terminal.written().length;
      terminal.resize(columns, rows);
      // One more frame may have been on its way when the size changed.
      await until(() => {
        const isDrawn = /of 80[\s\S]*\u001b\[\?2026l/.test(terminal.written().slice(before));
        const seen = terminal.screen();
        const frames = seen.match(new RegExp(`^${id}  `, 'gm'))?.length;
        return isDrawn && frames === 1 && seen.split('\n').every((line) => line.length < columns);
      });
    }
    await republish(['cancel', id], saga.env);
    expect(await terminal.ended).toBe(1);
  });

  test('colours: on a terminal, not with --color never; --color always wins over NO_COLOR', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const written = async (args: string[], env: Record<string, string> = {}): Promise<string> => {
      const terminal = inTerminal(['start', id, ...args], { env });
      expect(await terminal.ended).toBe(0);
      return terminal.written();
    };
    expect(await written([])).toMatch(COLOURS);
    expect(await written(['--color', 'never'])).not.toMatch(COLOURS);
    expect(await written(['--color', 'always'], { NO_COLOR: '1' })).toMatch(COLOURS);
    // A terminal that cannot move its cursor gets lines.
    expect(await written([], { TERM: 'dumb' })).not.toContain('\u001b');
    const piped = await republish(['start', id, '--json'], { ...saga.env, FORCE_COLOR: '1' });
    expect(piped.stdout).not.toContain('\u001b');
    expect(JSON.parse(piped.stdout)).toBeDefined();
  });

  test('without a terminal: lines, each thing once, and no escape sequences', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 2 });
    let approve: () => void = () => undefined;
    const approved = new Promise<void>((resolve) => (approve = resolve));
    bunker.setFaults(({ method }) =>
      method === 'sign_event'
        ? { authUrl: 'https://bunker.example.com/approve', after: approved }
        : undefined,
    );
    await republish(['start', id, '--no-wait'], saga.env);
    const { stdout, stderr, code } = await republish(['watch', id], saga.env, '', (written) => {
      if (/approve here: /.test(written) && /^publishing: /m.test(written)) approve();
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.match(/approve here: https:\/\/bunker.example.com\/approve\n/g)).toHaveLength(1);
    expect(stdout).toMatch(
      /^publishing: \d of 4 documents \(\d published, 0 unchanged, 0 skipped, 0 failed\); encrypted \d, signed \d, sent \d, standing \d$/m,
    );
    expect(stdout).toMatch(/^complete: 4 published/m);
    expect(stdout).not.toContain('\u001b');
  });

  test('watch --json: a status on each line, the last one with the result', async () => {
    const gate = new Gate();
    gate.close();
    const { id, machines } = await saga.addOperator({ machines: 2, bunker: { onRequest: gate.onRequest } });
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      [machines[0]?.id],
    );
    const run = await saga.start(id);
    const { stdout, code } = await republish(['watch', id, '--json'], saga.env, '', () => gate.open());
    expect(code).toBe(3);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.length).toBeGreaterThan(1);
    for (const each of lines) expect(each).toMatchObject({ runId: run.runId, workflowId: run.workflowId });
    expect(lines.at(0)).toMatchObject({ status: 'RUNNING', closedAt: null });
    expect(lines.at(-1)).toMatchObject({
      status: 'FAILED',
      outcome: 'incomplete',
      failure: { type: 'RepublishIncomplete', remedy: expect.any(String) as string, failed: 1 },
      events: { 'bitspire-fees': [expect.any(String)] },
    });
  });
});
