import { Argument, type Command } from 'commander';

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
      process.stdout.write(completionScript(shell, completionWords(program)));
    });
}
