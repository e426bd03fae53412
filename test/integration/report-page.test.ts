import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import type { Page } from 'playwright-core';
import { fleetPage } from '../../client/cli/report/fleet-page';
import { shown } from '../../client/cli/report/markup';
import { runPage } from '../../client/cli/report/run-page';
import { openBrowser, type OpenBrowser } from '../../dev/pictures/browser';
import {
  documentsFor,
  failedRun,
  fleetReportOf,
  operatorOf,
  reported,
  runningRun,
  runReportOf,
  UNBEGUN,
} from '../support/report';
import { until } from '../support/until';

/** The pages as a person's browser shows them. */
let browser: OpenBrowser;
let page: Page;
const directory = mkdtempSync(path.join(tmpdir(), 'republish-report-'));
/** What the browser complained of, and whatever it asked of anybody. */
const complaints: string[] = [];

beforeAll(async () => {
  browser = await openBrowser({ width: 1280, height: 900 });
  page = browser.page;
  // A page of ten thousand rows takes a slow machine a while.
  page.setDefaultTimeout(120_000);
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) complaints.push(`asked for ${request.url()}`);
  });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  rmSync(directory, { recursive: true });
});
beforeEach(() => void complaints.splice(0));

async function show(name: string, parts: Iterable<string>): Promise<number> {
  const file = path.join(directory, `${name}.html`);
  writeFileSync(file, [...parts].join(''));
  await page.goto(pathToFileURL(file).href);
  return statSync(file).size;
}

const PAGES: [string, () => Iterable<string>][] = [
  ['a failed run', () => runPage(failedRun())],
  ['a run that goes on', () => runPage(runningRun())],
  ['a fleet', () => fleetPage(fleetReportOf(60))],
];

describe.each(PAGES)('the page of %s', (name, parts) => {
  test.each([390, 1280])(
    'is whole at %i px: nothing to scroll sideways, nothing asked of anybody',
    async (width) => {
      await page.setViewportSize({ width, height: 900 });
      await show(name, parts());
      await page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))");
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(await page.locator('script, img, iframe, object, form').count()).toBe(0);
      expect(complaints).toEqual([]);
    },
  );

  test.each(['light', 'dark'] as const)(
    'can be read in the %s: 4.5 to 1 for every text',
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme });
      await show(name, parts());
      const { faint, texts, paper } = (await page.evaluate(`(${CONTRASTS})()`)) as Contrasts;
      await page.emulateMedia({ colorScheme: null });
      expect(faint).toEqual([]);
      expect(texts).toBeGreaterThan(50);
      expect(paper).toMatch(colorScheme === 'light' ? /^rgb\(255/ : /^rgb\(1\d, 2\d/);
    },
  );

  test('is printed with what is open, black on white', async () => {
    await page.emulateMedia({ colorScheme: 'dark', media: 'print' });
    await show(name, parts());
    const printed = await page.evaluate(
      'getComputedStyle(document.body).color + getComputedStyle(document.documentElement).backgroundColor',
    );
    await page.emulateMedia({ colorScheme: null, media: null });
    expect(printed).toBe('rgb(0, 0, 0)rgb(255, 255, 255)');
    const pdf = await page.pdf({ format: 'A4' });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(complaints).toEqual([]);
  });
});

interface Contrasts {
  /** Texts that are too faint, with their contrast. */
  faint: string[];
  texts: number;
  paper: string;
}

/**
 * WCAG 2: the contrast of each visible text to what is behind it. Runs in the page, which the compiler knows
 * nothing of.
 */
const CONTRASTS = `() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = numbers(color).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      if ((numbers(color)[3] ?? 1) === 1) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const faint = [];
  let count = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() === '' || !element.checkVisibility()) continue;
    count += 1;
    const [light, dark] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faint.push(texts.currentNode.data.trim() + ': ' + contrast.toFixed(2));
  }
  return { faint, texts: count, paper: getComputedStyle(document.documentElement).backgroundColor };
}`;

describe('what comes from rows', () => {
  const ATTACKS = [
    '<img src=x onerror=alert(1)>',
    '</bdi></td></table></details></main><script>alert(1)</script>',
    '"><a href="javascript:alert(1)">x</a>',
    "' onmouseover='alert(1)",
    '<!-- ',
    ']]>',
    '&lt;b&gt;&amp;amp;&#0;',
    '</title></style></head>',
    'javascript:alert(1)',
    '\u202egnp.exe\u2066',
    'a\u0000b\u001b[31mc',
    'half \ud83d and whole 😀',
    '${alert(1)}`',
  ];
  const text = fc.oneof(
    fc.constantFrom(...ATTACKS),
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.tuple(fc.constantFrom(...ATTACKS), fc.string({ unit: 'binary' })).map((pair) => pair.join('')),
  );

  /** Texts of the page as a reader finds them, and each element and attribute that there is. */
  const read = async (): Promise<{ texts: string[]; markup: string[] }> =>
    (await page.evaluate(`(() => {
      const all = [...document.querySelectorAll('body *')];
      return {
        texts: [document.title, ...all.map((each) => each.textContent)],
        markup: [...new Set(all.flatMap((each) => [each.localName, ...each.getAttributeNames()]))].sort(),
      };
    })()`)) as { texts: string[]; markup: string[] };

  test('is text to the browser, exactly, and makes no element, no attribute and no link', async () => {
    await show('run', runPage(failedRun()));
    const ofRun = (await read()).markup;
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 12, maxLength: 12 }), async (texts) => {
        const [
          id = '',
          name = '',
          relay = '',
          detail = '',
          message = '',
          by = '',
          reason = '',
          type = '',
          given = '',
          operator = '',
          asked = '',
          words = '',
        ] = texts;
        const documents = [
          reported(`1${id}`, type, { machineName: name, relays: { [relay]: { state: 'refused', detail } } }),
          reported(`2${id}`, type, {
            ...UNBEGUN,
            outcome: 'failed',
            failureType: 'StateInvalid',
            failureMessage: message,
          }),
          reported(`3${id}`, type, {
            ...UNBEGUN,
            outcome: 'skipped',
            failureType: 'GivenUp',
            failureMessage: given,
          }),
        ];
        await show(
          'strange',
          runPage(
            runReportOf({
              documents,
              record: {
                operatorUserId: operator,
                documentTypes: [type],
                request: { operatorUserId: operator, machineIds: [asked], reason },
              },
              audit: {
                outcome: 'failed',
                failure: { type: 'Unexpected', message: words },
                interventions: [
                  { action: 'skip', at: '2026-11-27T12:03:04.000Z', by, reason, machineId: id },
                ],
              },
            }),
          ),
        );
        const seen = await read();
        expect(seen.markup.filter((each) => !ofRun.includes(each))).toEqual([]);
        for (const each of [`1${id}`, name, relay, message, given, by, reason, type, operator, asked, words])
          expect(seen.texts).toContain(shown(each));
        expect(await page.locator('a:not([href^="#"])').count()).toBe(0);
        expect(complaints).toEqual([]);
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  test('so of a fleet', async () => {
    const strange = (other: string) => `${ATTACKS.join(' ')} ${other}`;
    const operators = [
      operatorOf(strange('id'), {
        outcome: 'failed',
        failure: { type: 'Unexpected', message: strange('message') },
      }),
    ];
    await show('fleet', fleetPage(fleetReportOf(operators)));
    const { texts, markup } = await read();
    expect(texts).toContain(shown(strange('id')));
    expect(markup).not.toContain('script');
    expect(markup).not.toContain('img');
    expect(complaints).toEqual([]);
  });
});

/** Rows of machines or operators that are not in a group that is closed. */
async function shownRows(): Promise<string[]> {
  return (await page.evaluate(`[...document.querySelectorAll('.grid tbody tr')]
    .filter((row) => row.checkVisibility()).map((row) => row.innerText)`)) as string[];
}

test('ten thousand machines are a page that opens: less than 5 MB, in order and closed; what is wrong is on top', async () => {
  const documents = documentsFor(10_000).map((document) => ({
    ...document,
    machineId: `6f1c02de-8a44-4b0e-9c55-${document.machineId.padStart(12, '0')}`,
    machineName: `Corner shop ${document.machineId}`,
  }));
  const lost = documents[12_344];
  if (lost !== undefined)
    Object.assign(lost, { outcome: 'failed', failureType: 'DocumentLost', failureMessage: 'gone from all' });
  const bytes = await show('large', runPage(runReportOf({ documents, audit: { outcome: 'incomplete' } })));
  expect(bytes).toBeLessThan(5_000_000);
  const titles = page.locator('main > section > details > summary');
  expect(await titles.allInnerTexts()).toEqual(['1 machine with something wrong', '9,999 machines in order']);
  expect(await page.locator('.grid tbody tr').count()).toBe(10_000);
  expect(await shownRows()).toEqual([expect.stringContaining('gone from all')]);
  // A link in the page, and the browser's own search, open what is closed.
  await titles.last().click();
  await page.getByText('201 to 400').click();
  await until(async () => (await shownRows()).length === 201);
}, 180_000);

test('two thousand failures for one reason are one cause, and a fleet of five thousand operators opens too', async () => {
  const documents = documentsFor(1_000, {
    ...UNBEGUN,
    outcome: 'failed',
    failureType: 'NotAttempted',
    failureMessage: 'the run ended before this document was begun',
  });
  const failure = { type: 'SignerNotConfigured', message: 'the operator has no signer' } as const;
  await show('failed', runPage(runReportOf({ documents, audit: { outcome: 'failed', failure } })));
  expect(await page.locator('.cause h3').allInnerTexts()).toEqual([
    'SignerNotConfigured ended all of it',
    'NotAttempted 2,000 documents failed',
  ]);
  expect(await shownRows()).toHaveLength(200);
  await show('many', fleetPage(fleetReportOf(5_000)));
  await page.locator('.cause a').first().click();
  expect(await page.locator('tr:target').innerText()).toContain('op-00004');
}, 180_000);
