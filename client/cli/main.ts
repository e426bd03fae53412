#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { registerAudit } from './commands/audit';
import { registerControl } from './commands/control';
import { registerDev } from './commands/dev';
import { registerFleet } from './commands/fleet';
import { registerMigrate } from './commands/migrate';
import { registerSigner } from './commands/signer';
import { registerStart } from './commands/start';
import { registerStatus } from './commands/status';
import { registerWorker } from './commands/worker';
import { explain } from './fail';

// Commands load what they need when they run, so that --help and a spelling mistake answer at once.
const program = new Command('republish')
  .description(
    'Republishes the Nostr configuration documents of Bitcoin ATM operators under their current key.',
  )
  .version(version())
  .showSuggestionAfterError()
  .showHelpAfterError('(see --help)')
  .exitOverride();

registerStart(program);
registerStatus(program);
registerControl(program);
registerFleet(program);
registerAudit(program);
registerSigner(program);
registerWorker(program);
registerMigrate(program);
registerDev(program);

function version(): string {
  const file = path.join(__dirname, '../../../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

// `republish audit ... | head` closes the pipe before all is written: no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = explain(error);
  }
}

void main();
