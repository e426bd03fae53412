import { duration, Rate, secondsLeft } from '../../client/cli/run-view/rate';
import { runView } from '../../client/cli/run-view/view';
import { wrapToWidth } from '../../client/cli/terminal/table';
import { fitted, line, paint } from '../../client/cli/terminal/paint';
import {
  cut,
  harmless,
  harmlessJson,
  padEnd,
  widthOf,
  wrap,
  wrapLines,
} from '../../client/cli/terminal/text';
import { loadTerminalConfiguration } from '../../configuration/terminal';
import { noCounts, type Progress } from '../../contract/progress';
import { progressOf } from '../support/progress';
import { statusOf } from '../support/run-status';

test.each([
  ['plain', 5],
  ['', 0],
  ['日本語', 6],
  ['한국어', 6],
  ['é', 1],
  ['e\u0301', 1],
  ['🚀', 2],
  ['👩‍👩‍👧‍👦', 2],
  ['🇩🇪', 2],
  ['❤\ufe0f', 2],
  ['…', 1],
  ['a\u200bb', 2],
])('%s takes %i columns', (text, columns) => {
  expect(widthOf(text)).toBe(columns);
  expect(widthOf(padEnd(text, 12))).toBe(12);
});

test('a text is cut between characters, and never wider than there is room', () => {
  expect(cut('日本語のメッセージ', 8)).toBe('日本語…');
  expect(cut('👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 3)).toBe('👩‍👩‍👧‍👦…');
  expect(cut('as it is', 8)).toBe('as it is');
  for (let columns = 0; columns < 20; columns += 1)
    expect(widthOf(cut('a日b本c語d 🚀 e', columns))).toBeLessThanOrEqual(columns);
});

test('sentences are broken between words', () => {
  expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
  expect(wrap('incomprehensibilities of it', 5)).toEqual(['incomprehensibilities', 'of it']);
});

test('a command is not broken, so that it can be pasted, as long as it has room on a line', () => {
  const told =
    'Is it online (republish signer check op-7)? Else: republish signer add op-7 --bunker. Then again.';
  const lines = [
    'Is it online',
    '(republish signer check op-7)? Else:',
    'republish signer add op-7 --bunker.',
    'Then again.',
  ];
  expect(wrap(told, 36)).toEqual(lines);
  expect(wrapToWidth(told, 36)).toEqual(lines);
  const views = fitted(line(['bold', told]), 38).map((each) => paint(each, 38, false));
  expect(views.map((text) => text.trim())).toEqual(lines);
  const withNpx = told.replaceAll('republish', 'npx republish').replace('check op-7', 'list');
  expect(wrap(withNpx, 39)).toEqual([
    'Is it online',
    '(npx republish signer list)? Else:',
    'npx republish signer add op-7 --bunker.',
    'Then again.',
  ]);
  // Where it has none, it is broken as any other words are.
  expect(wrap('by republish skip op --machine m1, or', 20)).toEqual([
    'by republish skip op',
    '--machine m1, or',
  ]);
  expect(wrapLines('a line that is whole\n  an indented one that is not', 20)).toBe(
    'a line that is whole\n  an indented one\n    that is not',
  );
});

test('what strangers write cannot steer the terminal, nor turn a text round', () => {
  expect(harmless('a\u001b[2Jb\u202ec\r')).toBe('a\ufffd[2Jb\ufffdc\ufffd');
  const painted = paint(line(['red', 'x\u001b]0;title\u0007'], '\nnext'), 80, true);
  expect(painted).toBe('\u001b[31mx\ufffd]0;title\ufffd\u001b[39m next');
});

test('JSON steers no terminal either, and says the same', () => {
  const value = { name: 'a\u009b2Jb\u202ec\u007f \u001b ü€😀' };
  const text = harmlessJson(JSON.stringify(value));
  expect(JSON.parse(text)).toEqual(value);
  expect(harmless(text)).toBe(text);
  expect(text).toContain('ü€😀');
});

test.each([
  [{}, 'auto'],
  [{ NO_COLOR: '' }, 'auto'],
  [{ NO_COLOR: '1' }, 'never'],
  [{ FORCE_COLOR: '1' }, 'always'],
  [{ FORCE_COLOR: '0' }, 'never'],
  [{ FORCE_COLOR: '1', NO_COLOR: '1' }, 'never'],
])('%j means colour: %s', (env, colour) => {
  expect(loadTerminalConfiguration(env).colour).toBe(colour);
});

const progress = (overrides: Partial<Progress>): Progress => progressOf({ planned: 100, ...overrides });

test('the rate is that of the last half minute, and begins anew after a pause or a retry', () => {
  const rate = new Rate();
  const see = (published: number, second: number, overrides: Partial<Progress> = {}): void => {
    rate.see(progress({ published, ...overrides }), second * 1_000);
  };
  see(0, 0);
  expect(rate.perSecond(1_000)).toBeUndefined();
  for (let second = 1; second <= 40; second += 1) see(second * 2, second);
  expect(rate.perSecond(40_000)).toBeCloseTo(2, 1);
  see(80, 41, { paused: { action: 'pause', at: '' } });
  expect(rate.perSecond(41_000)).toBeUndefined();
  see(80, 50);
  see(84, 54);
  expect(rate.perSecond(54_000)).toBe(1);
  see(80, 55);
  expect(rate.perSecond(55_000)).toBeUndefined();
});

test('no rate where nothing can move: something is in the way, or nothing has come for half a minute', () => {
  const rate = new Rate();
  for (let second = 0; second <= 10; second += 1) rate.see(progress({ published: second }), second * 1_000);
  expect(rate.perSecond(10_000)).toBeCloseTo(1);
  expect(rate.perSecond(41_000)).toBeUndefined();
  const blocked = { type: 'SignerRefused' as const, message: 'no' };
  rate.see(progress({ published: 11, blocked }), 11_000);
  expect(rate.perSecond(11_000)).toBeUndefined();
});

test('what is left is what neither stands nor has failed, and has no end while it waits for somebody', () => {
  const known = progress({ published: 40, failed: 10 });
  expect(secondsLeft(statusOf({ progress: known }), 2)).toBe(25);
  const page = { activity: 'republishDocuments', attempt: 2, startedAt: null };
  const retrying = [{ ...page, maxAttempts: 0, type: '', message: 'lost', nextAttemptAt: null }];
  for (const waits of [
    { approvals: ['https://bunker.example.com/approve'] },
    { unreachableSince: '2026-01-01T00:00:00.000Z' },
    { retrying },
  ])
    expect(secondsLeft(statusOf({ progress: known, ...waits }), 2)).toBeUndefined();
});

test.each([
  [0.4, '0 s'],
  [59, '59 s'],
  [90, '2 min'],
  [3_600, '1 h'],
  [7_800, '2 h 10 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('every line of a run has room in any terminal but what has to be opened or typed', () => {
  const counts = { ...noCounts(), planned: 50, published: 20, failed: 2, skipped: 1, givenUp: 1 };
  const approval = 'https://bunker.example.com/approve/0123456789';
  const machine = { documentType: '現金の在庫を数える設定', machineId: 'm'.repeat(60) };
  const page = {
    activity: 'republishDocuments',
    page: 1,
    documentType: '現金の在庫を数える設定',
    machines: { from: 1, to: 100, of: 10_000 },
    attempt: 2,
    startedAt: null,
  };
  const status = statusOf({
    progress: progress({
      ...counts,
      phase: 'holding',
      blocked: { type: 'SignerRefused', message: '拒否 '.repeat(40) },
      documentTypes: { 'bitspire-fees': counts, 現金の在庫を数える設定: counts },
      failures: [{ ...machine, type: 'StateInvalid', message: '値段 🚀' }],
    }),
    approvals: [approval],
    inWork: [{ ...page, stages: { encrypted: 100, signed: 100, sent: 99, standing: 98 } }],
    retrying: [{ ...page, maxAttempts: 0, type: '', message: 'lost', nextAttemptAt: null }],
    waiting: [
      { ...machine, why: '拒否 🚀 '.repeat(20), since: '2026-01-01T00:00:00.000Z', tries: 3 },
      { ...machine, machineId: 'n', why: 'signature' },
    ],
  });
  for (const columns of [20, 40, 79, 120]) {
    const lines = runView(status, 'op', { columns, nowMs: Date.now(), perSecond: 3, maxListed: 5 });
    const painted = lines.filter(({ isWhole }) => !isWhole).map((each) => paint(each, columns - 1, false));
    for (const text of painted) expect(widthOf(text)).toBeLessThan(columns);
    const whole = lines.filter(({ isWhole }) => isWhole).map((each) => paint(each, columns, false));
    expect(whole).toEqual([
      `approve here: ${approval}`,
      '  try again: republish retry op',
      '  give up:   republish skip op',
      '  end:       republish cancel op',
    ]);
  }
});
