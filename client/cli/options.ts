import { InvalidArgumentError, Option } from 'commander';

/** How long `start` and `watch` go on asking a Temporal server that does not answer. */
export function patienceOption(): Option {
  return new Option('--patience <seconds>', 'how long to go on asking a Temporal server that is away')
    .argParser(seconds)
    .default(120);
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('must be a number of seconds from 0');
  return value;
}
