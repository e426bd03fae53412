import { type Command, Option } from 'commander';
import { seconds } from '../options';

export function registerWorker(program: Command): void {
  program
    .command('worker')
    .summary('run a worker until it is told to stop')
    .description(
      'Runs a worker: looks at what it needs as `doctor` does, migrates the database, polls the task queue, republishes. Logs JSON lines to stderr.\nWhere something is missing that needs a person it says what, and exits. SIGTERM or Ctrl-C lets documents in work end (20 s) and exits 0.',
    )
    .addOption(
      new Option(
        '--patience <seconds>',
        'how long to wait at the start for Temporal and the databases, where they are away',
      )
        .argParser(seconds)
        .default(60),
    )
    .addHelpText(
      'before',
      'Example: DATABASE_URL=postgres://... REPUBLISH_RELAYS=wss://relay.example.com REPUBLISH_SECRETS_KEY_FILE=/run/secrets/republish republish worker\n',
    )
    .action(async ({ patience }: { patience: number }) => {
      const { runWorker } = await import('../../../worker/run.js');
      await runWorker({ patienceMs: patience * 1_000 });
    });
}
