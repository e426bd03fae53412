import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { republish } from '../support/command-line';
import { startSaga } from '../support/saga';

const ROOT = path.resolve(__dirname, '../..');
const PAGES = ['README.md', ...readdirSync(path.join(ROOT, 'docs')).map((file) => `docs/${file}`)].filter(
  (file) => file.endsWith('.md'),
);

interface DocumentedCommand {
  page: string;
  line: string;
  /** What stands behind `republish`, as a shell would split it. */
  words: string[];
  /** In a block with the mark: it is run, too. */
  isRun: boolean;
}

/** Every `republish ...` line in a fenced block of shell. */
function commandsOf(page: string): DocumentedCommand[] {
  const text = readFileSync(path.join(ROOT, page), 'utf8');
  const blocks = [...text.matchAll(/(<!-- run by [^\n]*-->\s*)?```sh\n(.*?)```/gs)];
  return blocks.flatMap(([, mark, block = '']) => linesOf(page, block, mark !== undefined));
}

function linesOf(page: string, block: string, isRun: boolean): DocumentedCommand[] {
  return block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/\s#.*$/, '').trim())
    .filter((line) => /^(npx )?republish\b/.test(line))
    .map((line) => ({ page, line, isRun, words: split(line.replace(/^(npx )?republish/, '')) }));
}

function split(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );
}

const commands = PAGES.flatMap(commandsOf);

test('the pages show commands', () => {
  expect(commands.length).toBeGreaterThan(15);
});

/** Many lines show the same command: it is asked once. */
const helps = new Map<string, ReturnType<typeof republish>>();
function helpOf(name: string[]): ReturnType<typeof republish> {
  const known = helps.get(name.join(' ')) ?? republish([...name, '--help']);
  helps.set(name.join(' '), known);
  return known;
}

/** `--help` behind a command line is answered only where the words before it are a command. */
test.each(commands.map(({ page, line, words }) => [line, page, words] as const))(
  '%s (%s) is a command with these options',
  async (_line, _page, words) => {
    const options = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*/, ''));
    const isGroup = words[0] === 'signer' || words[0] === 'fleet';
    const name = words.slice(0, isGroup ? 2 : 1).filter((word) => !options.includes(word));
    const { code, stdout } = await helpOf(name);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: republish ${name.join(' ')}`, 'm'));
    for (const option of options) expect(stdout).toMatch(new RegExp(`(^|[ ,])${option}\\b`, 'm'));
  },
);

test('the commands of the marked blocks do what the page says, in its order', async () => {
  const saga = await startSaga();
  try {
    await saga.startWorker();
    const { id } = await saga.addOperator({ machines: 1 });
    // `dev` is what the saga stands in for here; dev-command.test.ts runs it.
    const marked = commands.filter(({ isRun, words }) => isRun && words[0] !== 'dev');
    expect(marked.length).toBeGreaterThan(4);
    for (const { line, words } of marked) {
      const args = words.map((word) => (word === '<operator>' || word === 'operator-1' ? id : word));
      expect({ line, ...(await republish(args, saga.env)) }).toMatchObject({ line, code: 0 });
    }
  } finally {
    await saga.stop();
  }
}, 120_000);
