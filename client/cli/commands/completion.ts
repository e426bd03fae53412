import { Argument, type Command } from 'commander';
import { say } from '../output';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print a script that completes commands and options in your shell')
    .description(
      'Prints a completion script.\nbash: source <(republish completion bash)   zsh: source <(republish completion zsh)   fish: republish completion fish | source',
    )
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('before', 'Example: source <(republish completion bash)\n')
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { completionWords } = await import('../completion/words.js');
      const { completionScript } = await import('../completion/scripts.js');
      const values = { '--document-type': await knownTypes() };
      process.stdout.write(completionScript(shell, completionWords(program, values)));
    });
}

/** With the types of the configuration. A shell must start even when the configuration cannot be read. */
async function knownTypes(): Promise<string[]> {
  const { readConfiguration } = await import('../../../configuration/load.js');
  const { loadDocumentTypes } = await import('../../../documents/load.js');
  const { configuration } = readConfiguration();
  const types = await loadDocumentTypes(configuration.documentTypes).catch((error: Error) => {
    say(`warning: ${error.message}`);
    return loadDocumentTypes([]);
  });
  return types.map(({ type }) => type);
}
