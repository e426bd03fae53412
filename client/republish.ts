import type { Client } from '@temporalio/client';
import type { RepublishResult } from '../contract/input';
import { connect } from './connect';
import { type StartOptions, startRepublish } from './start';

/** Options of `republishOperatorConfigs`: those of a run, and the connection. All have a default. */
export interface RepublishOptions extends StartOptions {
  /** A client of Temporal's SDK. It stays open. Default: a new one from `connect()`, closed at the end. */
  client?: Client;
}

/**
 * Republishes every configuration document of an operator under the operator's current key, and waits for the
 * end of the run.
 *
 *     const events = await republishOperatorConfigs(operator.id);
 *     // { 'bitspire-cassettes': ['c1d5…', …], 'bitspire-fees': ['1d80…', …] }
 *
 * Call it as often as you like. While a run of the same request is running, the call attaches to it. A new
 * run leaves alone what is already published and unchanged. If a run of another request is running, the call
 * waits for its end and then starts its own run: the result of the other run could contain fewer documents
 * and look like success. `otherRequest` selects another behaviour.
 *
 * @param operatorUserId `accounts.id` in LNbits
 * @returns event ids (64 lower-case hex characters) by document type, in the order of the machines
 * @throws RepublishFailed when documents failed (type `RepublishIncomplete`; `published` of the error has the
 *   events that stand), when the run could not begin, or when it was cancelled or terminated
 * @throws AnotherRunGoesOn with `otherRequest: 'refuse'`
 * @throws TemporalUnavailable, TemporalRefused, NamespaceNotFound when Temporal cannot be asked
 * @throws ConfigurationError when a TEMPORAL_* or REPUBLISH_* variable is wrong
 */
export async function republishOperatorConfigs(
  operatorUserId: string,
  options: RepublishOptions = {},
): Promise<RepublishResult> {
  const { client, ...input } = options;
  const { patienceMs } = input;
  const toEnd = async (using: Client): Promise<RepublishResult> => {
    const run = await startRepublish(using, operatorUserId, input);
    return run.result(patienceMs === undefined ? {} : { patienceMs });
  };
  if (client !== undefined) return toEnd(client);
  const opened = await connect();
  try {
    return await toEnd(opened.client);
  } finally {
    await opened.close();
  }
}
