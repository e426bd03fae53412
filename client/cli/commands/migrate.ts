import type { Command } from 'commander';
import { print, printJson } from '../output';

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .summary('bring the schema `republish` up to date')
    .description(
      'Creates or upgrades the schema `republish` in the database at DATABASE_URL. Workers do so by themselves at start.\nAfter a switch-over it also sets sequences that are behind the rows of their tables.',
    )
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: DATABASE_URL=postgres://... republish migrate\n')
    .action(async ({ json }: { json?: true }) => {
      const { withDatabase } = await import('../database.js');
      const { migrate } = await import('../../../database/migrate.js');
      const report = await withDatabase((database) => migrate(database));
      if (json) return printJson(report);
      for (const name of report.applied) print(`applied ${name}`);
      for (const table of report.renumbered) print(`republish.${table}: its sequence was behind its rows`);
      print(`the schema republish in database ${report.database} is at version ${report.version}`);
    });
}
