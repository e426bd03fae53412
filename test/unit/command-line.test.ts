import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { explain, UsageError } from '../../client/cli/fail';
import { buildProgram } from '../../client/cli/main';
import { completionScript } from '../../client/cli/completion/scripts';
import { completionWords } from '../../client/cli/completion/words';
import { readSecret } from '../../client/cli/read-secret';
import { asCalled, commandLine, setOperator, setProgram } from '../../client/cli/command-lines';
import { ControlRefused, RunNotFound, TemporalRefused, TemporalUnavailable } from '../../client/errors';
import { ConfigurationError } from '../../configuration/load';
import { FAILURES, type FailureType, RepublishError } from '../../contract/failures';
import { DataFolderUnusable } from '../../embedded/data-folder/folder';

/** Every command, with its name as it is typed. */
function commandsOf(command: Command, name = ''): [name: string, command: Command][] {
  return [
    [name, command],
    ...command.commands.flatMap((each) => commandsOf(each, `${name} ${each.name()}`.trim())),
  ];
}

const program = buildProgram();
const commands = commandsOf(program);
const named = commands.filter(([name]) => name !== '');

/** They print no data: a log for machines already, a script, a story to watch, and groups of commands. */
const WITHOUT_JSON = ['worker', 'completion', 'demo', 'signer', 'fleet'];

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

describe('every command', () => {
  test.each(commands)('republish %s --help begins with an example of itself', (name, command) => {
    const [first = ''] = helpOf(command).split('\n');
    expect(first).toMatch(/^Example: /);
    expect(first).toContain(`republish ${name}`.trim());
  });

  test.each(named.filter(([name]) => !WITHOUT_JSON.includes(name)))('%s has --json', (_, command) => {
    expect(command.options.map(({ long }) => long)).toContain('--json');
  });

  test.each(named)('%s says what it is for, and each option too', (_, command) => {
    // In a list of commands all begin and end alike.
    expect(command.summary()).toMatch(/^[a-z].*[^.]$/);
    expect(command.description()).toMatch(/^[A-Z].*\.( |$|\n)|^Prints a/s);
    for (const { description } of command.options) expect(description).not.toBe('');
  });
});

test('the help of the program names every command, and shows all of them on a small terminal', () => {
  const lines = helpOf(program).trimEnd().split('\n');
  const from = lines.indexOf('First:');
  const shown = lines.slice(from).join('\n');
  for (const { name } of program.commands.map((each) => ({ name: each.name() })))
    expect([
      name,
      shown.match(new RegExp(`(^|[ ,])${name}\\b(?! (an|a|and|the)\\b)`, 'gm')) !== null,
    ]).toEqual([name, true]);
  expect(lines.length - from).toBeLessThan(24);
  for (const text of lines) expect(text.length).toBeLessThan(80);
});

test.each([
  [['plan'], 'plan'],
  [['signer', 'check'], 'signer check'],
])('%j without its operator is told where the help is, and where ids are', async (args, name) => {
  let said = '';
  const write = jest
    .spyOn(process.stderr, 'write')
    .mockImplementation((text) => Boolean((said += String(text))));
  await expect(buildProgram().parseAsync(['node', 'republish', ...args])).rejects.toThrow('missing');
  write.mockRestore();
  expect(said).toContain(`(see: republish ${name} --help)`);
  expect(said).toContain('accounts.id in LNbits');
});

describe('every error that reaches a person', () => {
  const explained = (error: unknown): { said: string; code: number } => {
    let said = '';
    const write = jest
      .spyOn(process.stderr, 'write')
      .mockImplementation((text) => Boolean((said += String(text))));
    try {
      return { code: explain(error), said };
    } finally {
      write.mockRestore();
    }
  };

  test.each([
    ...Object.keys(FAILURES).map((type) => [type, new RepublishError(type as FailureType, 'why'), 'why']),
    ['UsageError', new UsageError('--limit must be a number'), '--limit must be a number'],
    ['ConfigurationError', new ConfigurationError(['DATABASE_URL is not set']), 'DATABASE_URL is not set'],
    ['ControlRefused', new ControlRefused('pause was refused'), 'pause was refused'],
    ['RunNotFound', new RunNotFound('there is no such run'), 'no such run'],
    ['TemporalUnavailable', new TemporalUnavailable('at x'), 'at x'],
    ['TemporalRefused', new TemporalRefused('no'), 'no'],
    ['Unexpected', new TypeError('x is not a function'), 'TypeError: x is not a function'],
    ['Unexpected', 'a string', 'a string'],
    ['Unexpected', undefined, 'undefined'],
  ] as [string, unknown, string][])(
    '%s: with its type, its words, a remedy and an exit code, and no stack',
    (type, error, words) => {
      const { said, code } = explained(error);
      expect(said).toMatch(new RegExp(`^error: ${type}: `));
      expect(said).toContain(words);
      expect(said).toMatch(/^remedy: [A-Z].+\.$/m);
      expect(said).not.toMatch(/^\s+at /m);
      expect(code).toBeGreaterThan(0);
    },
  );

  test('an error that knows better than the catalogue has a remedy of its own, which alone is told', () => {
    for (const error of [
      new UsageError('why', 'Do this.'),
      new RepublishError('SourceMisconfigured', 'why', { remedy: 'Do this.' }),
      new RunNotFound('why', { remedy: 'Do this.' }),
      new DataFolderUnusable('why', undefined, 'Do this.'),
    ])
      expect(explained(error).said).toMatch(/^error: \w+: why\nremedy: Do this\.\n$/);
  });

  test('Temporal that is away is told with the way that needs no server', () => {
    expect(explained(new TemporalUnavailable('at x')).said).toMatch(
      / Or, without any server: --data <dir>, with LNBITS_DATABASE_URL and REPUBLISH_RELAYS\.$/m,
    );
  });

  test('a file for a secret that is not there is told with what belongs into it', async () => {
    const missing = path.join(tmpdir(), 'republish-is-not-there');
    const error = await readSecret('bunker:// URI', missing).catch((thrown: unknown) => thrown);
    expect(explained(error).said).toBe(
      `error: UsageError: no such file: ${missing}\nremedy: Put the bunker:// URI into it, or pipe it to standard input.\n`,
    );
  });

  test.each(['nsec1canary', 'NCRYPTSEC1canary', 'bunker://canary?secret=canary', 'ca'.repeat(32)])(
    'a secret in place of its file is not repeated (%#)',
    async (secret) => {
      const error = await readSecret('bunker:// URI', secret).catch((thrown: unknown) => thrown);
      const { said } = explained(error);
      expect(said).toContain('--uri-file was given the bunker:// URI itself');
      expect(said).not.toContain(secret);
    },
  );

  test('a remedy names the operator that the command was called for', () => {
    expect(explained(new RunNotFound('why')).said).toContain('republish start <operator>');
    setOperator('8f3c2b');
    expect(explained(new RunNotFound('why')).said).toContain('republish start 8f3c2b; see earlier ones');
  });
});

test('commands are shown as this process was called', () => {
  const told =
    'Start one: republish worker. The schema `republish` of republish is made by `republish migrate`.';
  const names = program.commands.map((each) => each.name());
  expect(asCalled(told)).toBe(told);
  setProgram(names, '/home/x/republish/dist/client/cli', 'npx');
  expect(asCalled(told)).toBe(
    'Start one: npx republish worker. The schema `republish` of republish is made by `npx republish migrate`.',
  );
  expect(asCalled(asCalled(told))).toBe(asCalled(told));
  expect(asCalled('(see: republish --help)')).toBe('(see: npx republish --help)');
  expect(commandLine('fleet audit', 'a b')).toBe("npx republish fleet audit 'a b'");
  setProgram(names, '/home/x/.npm/_npx/1f/node_modules/republish-operator-configs/dist', 'npx');
  expect(commandLine('audit')).toBe('npx republish-operator-configs audit');
  setProgram(names, '/usr/lib/node_modules/republish-operator-configs/dist', 'npm run demo');
  expect(asCalled(told)).toBe(told);
});

test('--data is offered by every command that takes it, and by no other', () => {
  for (const [name, command] of named)
    expect([name, helpOf(command).includes('--data <dir>')]).toEqual([
      name,
      !['dev', 'demo', 'completion'].includes(name),
    ]);
});

describe('completion', () => {
  const words = completionWords(program);
  const isThere = (shell: string): boolean => spawnSync(shell, ['-c', ':']).error === undefined;

  test('knows every command and option', () => {
    expect(words.map((each) => each.path).sort()).toEqual(
      expect.arrayContaining(commands.map(([name]) => name).sort()),
    );
    for (const [name, command] of commands) {
      const known = words.find((each) => each.path === name)?.options.map(({ word }) => word);
      for (const { long } of command.options) expect(known).toContain(long);
    }
  });

  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'republish-completion-'));
    for (const shell of ['bash', 'zsh', 'fish'] as const)
      writeFileSync(path.join(directory, shell), completionScript(shell, words));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const run = (shell: string, args: string[]): string =>
    execFileSync(shell, args, { encoding: 'utf8', cwd: directory }).trim();

  /** What bash offers for a line, as it asks the script itself. */
  const bashOffers = (line: string): string[] => {
    const typed = line.split(' ').map((word) => `'${word}'`);
    const script = `
      source ./bash && complete -p republish >/dev/null || exit 1
      COMP_WORDS=(${typed.join(' ')}); COMP_CWORD=${typed.length - 1}; COMPREPLY=()
      _republish
      printf '%s\\n' "\${COMPREPLY[@]-}"`;
    return run('bash', ['--norc', '-c', script]).split('\n');
  };

  test('bash: commands, commands of commands, options, choices; nothing for an operator', () => {
    expect(bashOffers('republish st')).toEqual(['start', 'status']);
    expect(bashOffers('republish signer ')).toEqual(
      expect.arrayContaining(['add', 'list', 'check', 'remove']),
    );
    expect(bashOffers('republish start op --do')).toEqual(['--document-type']);
    // An operator may be called like a command.
    expect(bashOffers('republish start status --do')).toEqual(['--document-type']);
    expect(bashOffers('republish watch --color a')).toEqual(['auto', 'always']);
    expect(bashOffers('republish completion ')).toEqual(['bash', 'zsh', 'fish']);
    expect(bashOffers('republish start ')).toEqual(['']);
  });

  // Not every machine has these shells; bash is everywhere that the tests run.
  const elsewhere = (['zsh', 'fish'] as const).filter(isThere);
  if (elsewhere.includes('fish')) {
    test('fish: offers what it is asked for', () => {
      const offers = (line: string): string =>
        run('fish', ['--no-config', '-c', `source ./fish; complete -C '${line}'`]);
      expect(offers('republish st')).toMatch(/^start\t.+\nstatus\t.+$/m);
      expect(offers('republish start op --do')).toContain('--document-type');
      expect(offers('republish signer ')).toContain('remove');
    });
  }
  if (elsewhere.includes('zsh')) {
    test('zsh: takes the script and completes with it', () => {
      const printed = run('zsh', [
        '-f',
        '-c',
        'autoload -Uz compinit && compinit -u -D && source ./zsh && print -- $_comps[republish]',
      ]);
      expect(printed).toBe('_republish');
    });
  }
});
