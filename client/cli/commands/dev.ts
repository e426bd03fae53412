import type { Command } from 'commander';
import { calledBy } from '../../../configuration/terminal';
import { commandLine } from '../command-lines';
import { say } from '../output';

export function registerDev(program: Command): void {
  program
    .command('dev')
    .summary('run everything on this machine: Temporal, Postgres, relay, bunker, machines, worker')
    .description(
      'Starts Temporal with its UI, Postgres, a relay, a NIP-46 bunker, simulated machines and a worker on free ports, and prints the environment for another shell.\nCtrl-C stops everything and leaves nothing behind.',
    )
    .option('--operators <n>', 'operators to seed', '1')
    .option('--machines <n>', 'machines of each operator', '3')
    .option('--json', 'the environment, the operators and the addresses as one JSON object on stdout')
    .addHelpText('before', 'Example: republish dev --machines 5\n')
    .action(async (options: { operators: string; machines: string; json?: true }) => {
      const { UsageError } = await import('../fail.js');
      const operators = Number(options.operators);
      const machines = Number(options.machines);
      if (![operators, machines].every((count) => Number.isInteger(count) && count >= 0 && count <= 20_000)) {
        throw new UsageError('--operators and --machines must be whole numbers from 0');
      }
      const { runDev } = await withOptionalPackages(() => import('../../../dev/run-dev.js'));
      await runDev({ operators, machines, json: options.json === true, say, commandLine });
    });

  program
    .command('demo')
    .summary(
      'watch a migration from a local key to a bunker, with a bunker that swallows a request and a worker that is killed',
    )
    .description(
      'Plays the whole story on real components in under a minute. A step that fails ends it with a non-zero exit code.',
    )
    .option('--keep', 'leave everything up to look around; Ctrl-C ends it')
    .addHelpText('before', 'Example: republish demo --keep\n')
    .action(async (options: { keep?: true }) => {
      const { runDemo } = await withOptionalPackages(() => import('../../../dev/demo/story.js'));
      await runDemo({ keep: options.keep === true, say, keepCommand: keepCommand() });
    });
}

/** The demo again, with `--keep`, as a person can type it here. */
function keepCommand(): string {
  const script = 'npm run demo';
  return calledBy() === script ? `${script} -- --keep` : `${commandLine('demo')} --keep`;
}

/** An install with `--omit=optional` does not contain the embedded stack. */
async function withOptionalPackages<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    const { code, message } = thrown as { code?: unknown; message?: unknown };
    const name = /Cannot find (?:module|package) '(@[^'/]+\/[^'/]+|[^'/.]+)/.exec(String(message))?.[1];
    if (!/^(ERR_)?MODULE_NOT_FOUND$/.test(String(code)) || name === undefined) throw thrown;
    const { UsageError } = await import('../fail.js');
    throw new UsageError(
      `the servers of this command are not installed (${name} is missing: an install with --omit=optional)`,
      'Install them: npm install --include=optional. Commands on servers of your own do not need them.',
    );
  }
}
