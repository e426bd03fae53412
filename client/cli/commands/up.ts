import type { Command } from 'commander';
import { shellWord } from '../../../rules/shell';
import type { JoinedFolder } from '../../../embedded/data-folder/join';
import type { WorkerSettings } from '../../../embedded/data-folder/worker-settings';
import { runningWords } from '../../../embedded/told-to-stop';
import { commandLine } from '../command-lines';
import { print, printJson, say } from '../output';

export function registerUp(program: Command): void {
  program
    .command('up')
    .summary('keep the servers of a data folder and a worker running')
    .description(
      'Keeps Postgres, Temporal with its UI and a worker running on a data folder (--data or REPUBLISH_DATA), until it is told to stop. Every other command on that folder uses them.\nCtrl-C stops them in order: documents in work are finished, and a run continues when the command is started again.',
    )
    .option('--json', 'the environment and the addresses as one JSON object on stdout')
    .addHelpText('before', 'Example: republish up --data ./migration\n')
    .action((options: { json?: true }, command: Command) =>
      up(command.optsWithGlobals<{ data?: string }>().data, options.json === true),
    );
}

async function up(data: string | undefined, json: boolean): Promise<void> {
  const { dataSettingsOf, leaveDataFolder, requireWorkerParts, useJoined } =
    await import('../data-folder.js');
  const { UsageError } = await import('../fail.js');
  const { untilToldToStop } = await import('../../../embedded/told-to-stop.js');
  const settings = await dataSettingsOf(data);
  if (settings === undefined) throw new UsageError('name the data folder: republish up --data <dir>');
  const { settingsOf } = await import('../../../configuration/stated.js');
  // A worker without its settings would end all servers again.
  const worker: WorkerSettings = settingsOf(await requireWorkerParts());
  const ended = untilToldToStop();
  const abort = new AbortController();
  void ended.signal.then(() => abort.abort());
  try {
    say(`starting Postgres and Temporal on ${settings.directory}`);
    const { joinDataFolder } = await import('../../../embedded/data-folder/join.js');
    const how = {
      role: 'up',
      make: true,
      temporal: true,
      say,
      settings: worker,
      signal: abort.signal,
    } as const;
    const joined = await joinDataFolder(settings.directory, how).catch((error: unknown) => {
      if (!abort.signal.aborted) throw error;
    });
    if (joined === undefined) return;
    await useJoined(joined, settings);
    await workUntil(ended.signal, joined, () => tell(joined, json));
  } finally {
    await leaveDataFolder();
    ended.forget();
  }
}

async function workUntil(
  told: Promise<NodeJS.Signals>,
  { folder }: JoinedFolder,
  whenReady: () => void,
): Promise<void> {
  const { keepFolderWorker } = await import('../../../embedded/keep-worker.js');
  const worker = await keepFolderWorker(folder.path, say);
  try {
    whenReady();
    await Promise.race([told, worker.failed]);
  } finally {
    say('\nstopping: documents in work are finished; a run continues when this is started again');
    await worker.stop();
  }
}

function tell({ folder, temporalUi, temporalAddress }: JoinedFolder, json: boolean): void {
  const env = { REPUBLISH_DATA: folder.path };
  if (json) return printJson({ env, temporalUi, temporalAddress, secretsKeyFile: folder.secretsKeyFile });
  print(`# Temporal UI: ${temporalUi}`);
  print('# In another shell, together with the variables for LNbits and the relays:');
  print(`export REPUBLISH_DATA=${shellWord(folder.path)}`);
  print(`# then: ${commandLine('start <operator>')}`);
  say(`\n${runningWords()}`);
}
