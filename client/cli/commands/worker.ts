import type { Command } from 'commander';

export function registerWorker(program: Command): void {
  program
    .command('worker')
    .summary('run a worker until it is told to stop')
    .description(
      'Runs a worker: migrates the database, polls the task queue, republishes. Logs JSON lines to stderr.\nSIGTERM or Ctrl-C lets documents in work end (20 s) and exits 0.',
    )
    .addHelpText(
      'before',
      'Example: DATABASE_URL=postgres://... REPUBLISH_RELAYS=wss://relay.example.com REPUBLISH_SECRETS_KEY_FILE=/run/secrets/republish republish worker\n',
    )
    .action(async () => {
      const { runWorker } = await import('../../../worker/run.js');
      await runWorker();
    });
}
