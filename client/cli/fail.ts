import { CommanderError } from 'commander';
import { ConfigurationError } from '../../configuration/load';
import { ensureError, remedyFor, RepublishError } from '../../contract/failures';
import { EXIT, exitCodeFor } from './exit-codes';
import { say } from './output';

/** A mistake in how a command was called. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Says what went wrong and what to do, and returns the exit code. */
export function explain(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const error = ensureError(thrown);
  // By name, so that this file does not load nostr and database for a spelling mistake.
  if (error instanceof UsageError || error.name === 'SecretRefused') {
    say(`error: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof ConfigurationError) {
    say(`error: ${error.message}`);
    return EXIT.preflight;
  }
  if (error instanceof RepublishError) {
    say(`error: ${error.type}: ${error.message}\nremedy: ${remedyFor(error.type)}`);
    return exitCodeFor(error.type);
  }
  // By name, so that this file does not load the Temporal client for a spelling mistake.
  if (error.name === 'ControlRefused') {
    say(`error: ${error.message}`);
    return EXIT.failed;
  }
  if (error.name === 'TemporalUnavailable') {
    say(`error: ${error.message}`);
    return EXIT.preflight;
  }
  if (error.name === 'WorkflowNotFoundError') {
    say('error: there is no such run; start one with: republish start <operator>');
    return EXIT.preflight;
  }
  say(`error: ${error.message}`);
  return EXIT.failed;
}
