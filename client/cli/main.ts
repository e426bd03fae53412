#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, Option } from 'commander';
import { COLOUR_CHOICES, type ColourChoice } from '../../configuration/terminal';
import { registerAudit } from './commands/audit';
import { registerCompletion } from './commands/completion';
import { registerControl } from './commands/control';
import { registerDev } from './commands/dev';
import { registerEnd } from './commands/end';
import { registerFleet } from './commands/fleet';
import { registerInspection } from './commands/inspection';
import { registerMigrate } from './commands/migrate';
import { registerReport } from './commands/report';
import { registerSigner } from './commands/signer';
import { registerStart } from './commands/start';
import { registerStatus } from './commands/status';
import { registerUp } from './commands/up';
import { registerWatch } from './commands/watch';
import { registerWorker } from './commands/worker';
import { enterDataFolder, leaveDataFolder, pathOf } from './data-folder';
import { explain } from './fail';
import { afterMistake, HELP, showMistake } from './help';
import { endWithNpx } from './npm-parent';
import { requireIds } from './ids';
import { chooseColour, fittedTo } from './output';
import { asCalled, setOperator, setProgram } from './command-lines';

/**
 * All commands. A command imports its modules when it runs, so that --help and a spelling mistake answer at
 * once.
 */
export function buildProgram(): Command {
  const program = new Command('republish')
    .description("Republishes Bitcoin ATMs' Nostr documents under their operator's current key.")
    .version(version())
    .addOption(
      new Option('--color <when>', 'colour what is shown on a terminal (else: NO_COLOR, FORCE_COLOR)')
        .choices(COLOUR_CHOICES)
        .default('auto'),
    )
    .option('--no-color', 'the same as --color never')
    .option(
      '--data <dir>',
      'folder of embedded servers, in place of DATABASE_URL and TEMPORAL_ADDRESS (else: REPUBLISH_DATA)',
    )
    .addHelpText('before', 'Example: republish start 8f3c2b\n')
    .configureHelp(HELP)
    .configureOutput({
      writeOut: (text) => process.stdout.write(text.replace(/^(?:Example|Usage): .*$/gm, asCalled)),
      writeErr: (text) => process.stderr.write(fittedTo(process.stderr, asCalled(text))),
      outputError: showMistake,
    })
    .showSuggestionAfterError()
    .exitOverride()
    .hook('preAction', async (_, command) => {
      chooseColour(program.opts<{ color: ColourChoice | false }>().color);
      requireIds(command);
      const operator = operatorOf(command);
      if (operator !== undefined) setOperator(operator);
      await enterDataFolder(command);
    });

  registerStart(program);
  registerWatch(program);
  registerStatus(program);
  registerControl(program);
  registerEnd(program);
  registerFleet(program);
  registerAudit(program);
  registerReport(program);
  registerInspection(program);
  registerSigner(program);
  registerWorker(program);
  registerMigrate(program);
  registerUp(program);
  registerDev(program);
  registerCompletion(program);
  setHelpAfterMistakes(program);
  return program;
}

function setHelpAfterMistakes(command: Command): void {
  command.showHelpAfterError(afterMistake(pathOf(command)));
  command.commands.forEach(setHelpAfterMistakes);
}

/** The operator of a call: the argument, or the option of `doctor`. */
function operatorOf(command: Command): string | undefined {
  if (command.registeredArguments[0]?.name() === 'operator') return command.args[0];
  return command.opts<{ operator?: string }>().operator;
}

/** The version of the package, both from dist/ and from the sources. */
function version(): string {
  for (let directory = __dirname; ; directory = path.dirname(directory)) {
    try {
      const text = readFileSync(path.join(directory, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch (error) {
      if (directory === path.dirname(directory)) throw error;
    }
  }
}

async function main(): Promise<void> {
  endWithNpx();
  // `republish audit ... | head` closes the pipe before all is written. That is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const program = buildProgram();
  setProgram(
    program.commands.map((command) => command.name()),
    __dirname,
  );
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = explain(error);
  }
  try {
    await leaveDataFolder();
  } catch (error) {
    process.exitCode = explain(error);
  }
  // Threads of the SDK keep this process alive after a worker failed to start. Then no supervisor restarts
  // it.
  if (program.args[0] === 'worker' && process.exitCode) process.exit();
}

if (require.main === module) void main();
