import { InvalidArgumentError, Option } from 'commander';
import { UsageError } from './fail';

/** How long `start` and `watch` wait for a Temporal server that does not answer. */
export function patienceOption(): Option {
  return new Option('--patience <seconds>', 'how long to go on asking a Temporal server that is away')
    .argParser(seconds)
    .default(120);
}

export function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('must be a number of seconds from 0');
  return value;
}

/** Only with this option are documents signed again that set the counts of a machine. */
export function resetCountsOption(): Option {
  return new Option(
    '--reset-counts',
    "with --force: also documents that set a machine's own counts, such as bitspire-cassettes",
  );
}

/** The options `--force` and `--reset-counts` as keys of a request. @throws UsageError */
export function forceOptions(options: { force?: true; resetCounts?: true }): {
  force?: true;
  resetCounts?: true;
} {
  if (options.resetCounts && !options.force)
    throw new UsageError(
      '--reset-counts goes with --force: without it nothing is signed that stands unchanged',
    );
  return {
    ...(options.force ? { force: true } : {}),
    ...(options.resetCounts ? { resetCounts: true } : {}),
  };
}
