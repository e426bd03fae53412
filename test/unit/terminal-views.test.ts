import { programInTerminal } from '../support/pseudo-terminal';

/** Long, wide and with marks that sit on other characters: what machines are really called. */
const NAMES = [
  'Front desk of the shop at the central station, second floor',
  '現金自動預け払い機',
  'Cafe\u0301 Zoe\u0308',
];
const ID = '3c9e9fa2-6f0d-4f31-9d6b-3f1a26b1a0aa';
const MOMENT = '2026-11-27T23:07:02.123Z';

const PROGRAM = `
const { progressOf } = require('./test/support/progress');
const { statusOf } = require('./test/support/run-status');
const names = ${JSON.stringify(NAMES)};
const failures = names.map((machineName, index) => ({
  documentType: 'bitspire-fees', machineId: index + '${ID}', machineName, type: 'StateInvalid', message: 'fee_percent: must be a number',
}));
const counts = { planned: 9, published: 2, unchanged: 0, superseded: 0, skipped: 0, failed: 3 };
const blocked = { type: 'SignerRefused', message: 'the bunker refuses nip44_encrypt' };
`;

const LIVE = `${PROGRAM}
const { LiveView } = require('./client/cli/run-view/live-view');
const view = new LiveView(process.stdout, 'op-7', false);
view.see(statusOf({ runId: '${ID}', progress: progressOf({ ...counts, phase: 'holding', blocked, failures }) }));
view.close();
`;

const TABLE = `${PROGRAM}
const { fittedTable } = require('./client/cli/terminal/table');
const rows = failures.map(({ machineId, machineName }) => [machineName, machineId, '${MOMENT}', 'on 2 of 3 relays']);
process.stdout.write(fittedTable(['machine', 'id', 'published', 'relays'], rows) + '\\n');
`;

const SIZES = [
  [80, 24],
  [200, 50],
] as const;

test.each(SIZES)(
  'what a run waits for is on a screen of %i x %i, and no word of it is broken',
  async (columns, rows) => {
    const terminal = programInTerminal(LIVE, { columns, rows });
    expect(await terminal.ended).toBe(0);
    const screen = terminal.screen();
    expect(screen.split('\n')[0]).toBe(`op-7  holding  run of ${/run of (.*) {2}/.exec(screen)?.[1]}  ${ID}`);
    expect(screen).toContain(
      'No further documents are begun. SignerRefused: the bunker refuses nip44_encrypt',
    );
    expect(screen).toContain('remedy: Allow nip44_encrypt and sign_event:30078 for this client in the');
    expect(screen).toContain('  try again: republish retry op-7');
    const words = NAMES.slice(0, rows < 50 ? 1 : 3).flatMap((name) => name.normalize('NFC').split(' '));
    for (const word of [...words, `(0${ID})`]) expect(screen.normalize('NFC')).toContain(word);
  },
);

test.each(SIZES)('a table on %i x %i has every name, id and moment in one piece', async (columns, rows) => {
  const terminal = programInTerminal(TABLE, { columns, rows });
  expect(await terminal.ended).toBe(0);
  const screen = terminal.screen();
  expect(screen.match(new RegExp(MOMENT, 'g'))).toHaveLength(NAMES.length);
  for (const [index, name] of NAMES.entries()) {
    expect(screen).toContain(`${index}${ID}`);
    for (const word of name.split(' ')) expect(screen).toContain(word);
  }
});

const AWAY = `${PROGRAM}
const why = 'RelayQuorumNotReached: 1 of the 2 required relays say what stands there; wss://relay-two.example.com: connect ECONNREFUSED 192.0.2.17:443';
const [type, message] = why.split(/: (.*)/);
const page = { activity: 'republishDocuments', documentType: 'bitspire-fees', attempt: 3, maxAttempts: 0, startedAt: null, nextAttemptAt: null };
const retrying = [1, 2].map((number) => ({ ...page, page: number, machines: { from: 1, to: 3, of: 3 }, type, message: '3 documents, the first: ' + message }));
const waiting = failures.map((failure) => ({ ...failure, why, since: new Date().toISOString(), tries: 2 }));
const { LiveView } = require('./client/cli/run-view/live-view');
const view = new LiveView(process.stdout, 'op-7', false);
const documentTypes = { 'bitspire-cassettes': { ...counts, failed: 0 }, 'bitspire-fees': { ...counts, failed: 0 } };
view.see(statusOf({ runId: '${ID}', progress: progressOf({ ...counts, failed: 0, documentTypes }), retrying, waiting }));
view.close();
`;

test.each(SIZES)(
  'which relay is away is on a screen of %i x %i, whatever else has to go',
  async (columns, rows) => {
    const terminal = programInTerminal(AWAY, { columns, rows });
    expect(await terminal.ended).toBe(0);
    const screen = terminal.screen();
    expect(screen.split('\n')[0]).toMatch(/^op-7 {2}/);
    expect(screen).not.toContain('…');
    expect(screen).toContain('wss://relay-two.example.com: connect ECONNREFUSED');
    expect(screen.includes('document type')).toBe(rows === 50);
  },
);
