import { shellWord } from '../../../rules/shell';
import type { Described, Words } from './words';

type Shell = 'bash' | 'zsh' | 'fish';

/** A script that a shell sources to complete the words of this command line. */
export function completionScript(shell: Shell, words: Words[]): string {
  return { bash, zsh, fish }[shell](words);
}

function bash(words: Words[]): string {
  const cases = words.map(
    ({ path, commands, options }) =>
      `    ${shellWord(path)}) commands=${shellWord(join(commands))}; options=${shellWord(join(options))} ;;`,
  );
  return `# bash completion of republish. Load it with: source <(republish completion bash)
_republish() {
  local word path='' commands='' options='' current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    ${pathWalk(words, 'path')}
  done
  case "$previous" in
${choicesOf(words)
  .map(
    ({ flag, values }) =>
      `    ${flag}) COMPREPLY=($(compgen -W ${shellWord(values.join(' '))} -- "$current")); return ;;`,
  )
  .join('\n')}
  esac
  case "$path" in
${cases.join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$commands" -- "$current")) ;;
  esac
}
complete -o default -F _republish republish
`;
}

/**
 * In bash and zsh: adds a word to the path of the command if the path has such a subcommand. An operator is
 * none.
 */
function pathWalk(words: Words[], variable: string): string {
  const patterns = words.flatMap(({ path, commands }) =>
    commands.map(({ word }) => shellWord(`${path}:${word}`)),
  );
  return `case "$${variable}:$word" in ${patterns.join('|')}) ${variable}="\${${variable}:+$${variable} }$word" ;; esac`;
}

function zsh(words: Words[]): string {
  const described = (list: Described[]): string =>
    list.map(({ word, what }) => shellWord(`${word.replaceAll(':', '\\:')}:${what}`)).join(' ');
  const cases = words.map(
    ({ path, commands, options }) =>
      `    ${shellWord(path)}) commands=(${described(commands)}); options=(${described(options)}) ;;`,
  );
  return `#compdef republish
# zsh completion of republish. Load it with: source <(republish completion zsh)
_republish() {
  local word command_path='' current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}"
  local -a commands options
  for word in "\${words[@]:1:CURRENT-2}"; do
    ${pathWalk(words, 'command_path')}
  done
  case "$previous" in
${choicesOf(words)
  .map(({ flag, values }) => `    ${flag}) compadd -- ${values.map(shellWord).join(' ')}; return ;;`)
  .join('\n')}
  esac
  case "$command_path" in
${cases.join('\n')}
  esac
  if [[ "$current" == -* ]]; then
    _describe option options
  elif (( \${#commands} )); then
    _describe command commands
  else
    _default
  fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
compdef _republish republish
`;
}

function fish(words: Words[]): string {
  const lines = words.flatMap(({ path, commands, options, choices }) => {
    const condition = shellWord(`__republish_at ${path}`.trim());
    return [
      ...commands.map(
        ({ word, what }) => `complete -c republish -f -n ${condition} -a ${word} -d ${shellWord(what)}`,
      ),
      ...options.map(({ word, what }) => {
        const values = choices.find(({ flag }) => flag === word)?.values;
        const takes = values ? ` -x -a ${shellWord(values.join(' '))}` : '';
        return `complete -c republish -n ${condition} -l ${word.replace(/^--/, '')}${takes} -d ${shellWord(what)}`;
      }),
    ];
  });
  const names = [...new Set(words.flatMap(({ commands }) => commands.map(({ word }) => word)))];
  return `# fish completion of republish. Load it with: republish completion fish | source
function __republish_at
  set -l known ${names.join(' ')}
  set -l path
  for word in (commandline -opc)[2..]
    # An operator that is called like a command is not one: a command has at most two words.
    if contains -- $word $known; and test (count $path) -lt 2
      set -a path $word
    end
  end
  test "$path" = "$argv"
end
${lines.join('\n')}
`;
}

function choicesOf(words: Words[]): Words['choices'] {
  const byFlag = new Map(words.flatMap(({ choices }) => choices).map(({ flag, values }) => [flag, values]));
  return [...byFlag].map(([flag, values]) => ({ flag, values }));
}

function join(list: Described[]): string {
  return list.map(({ word }) => word).join(' ');
}
