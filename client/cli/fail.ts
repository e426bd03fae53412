import { CommanderError } from 'commander';
import { embeddedServers } from '../../configuration/embedded';
import { ensureError, type FailureType, failureTypeOf, remedyFor } from '../../contract/failures';
import { EXIT, exitCodeFor } from './exit-codes';
import { fittedTo, paintedFor, say } from './output';
import { harmless } from './terminal/text';
import { forThisCall } from './command-lines';

/** A mistake in how a command was called. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly type = 'UsageError';

  constructor(
    message: string,
    /** Absent: the catalogue's. */
    readonly remedy?: string,
  ) {
    super(message);
  }
}

/**
 * Says what went wrong, of which type it is and what to do, and returns the exit code. Every error of a
 * command ends here.
 */
export function explain(thrown: unknown): number {
  // Commander has said it already, with the right word for a mistyped one.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const error = ensureError(thrown);
  const type = failureTypeOf(error);
  const told = fittedTo(process.stderr, harmless(forThisCall(`error: ${type}: ${messageOf(error, type)}`)));
  const mark = 'error:';
  process.stderr.write(`${paintedFor(process.stderr, 'red', mark)}${told.slice(mark.length)}\n`);
  say(forThisCall(`remedy: ${remedyOf(error, type)}`));
  return exitCodeFor(type);
}

/** The error's own where it knows better than the catalogue. */
function remedyOf(error: Error, type: FailureType): string {
  const { remedy } = error as { remedy?: unknown };
  return orDataFolder(typeof remedy === 'string' ? remedy : remedyFor(type), type);
}

/** The library has no data folder, so the remedies of the catalogue do not name it. */
export function orDataFolder(remedy: string, type: FailureType | undefined): string {
  return type === 'TemporalUnavailable' && embeddedServers() === undefined
    ? `${remedy} Or, without any server: --data <dir>, with LNBITS_DATABASE_URL and REPUBLISH_RELAYS.`
    : remedy;
}

/** An error that is not ours is shown with its name: its message alone often does not tell what it is. */
function messageOf(error: Error, type: FailureType): string {
  if (type !== 'Unexpected' || error.name === 'Error' || error.name === 'RepublishError')
    return error.message;
  return `${error.name}: ${error.message}`;
}
