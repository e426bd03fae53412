import type { Client } from '@temporalio/client';
import type { RepublishResult } from '../contract/input';
import { connect } from './connect';
import { type StartOptions, startRepublish } from './start';

export interface RepublishOptions extends StartOptions {
  /** A client of one's own. Default: one that connects as TEMPORAL_ADDRESS and its companions say. */
  client?: Client;
}

/**
 * Republishes every configuration document of an operator under the operator's current key, and waits for it.
 *
 *     const events = await republishOperatorConfigs(operator.id);
 *
 * May be called any number of times: while a run of the same request goes on it attaches to that one, and
 * what is in place already is left alone. The end of a run of another request is waited for, and one's own
 * follows: its result could be less than what is asked for here, and look like success. `otherRequest`
 * refuses instead, or attaches knowingly.
 *
 * @returns event ids (64 hex characters) by document type
 * @throws RepublishFailed when documents could not be republished (type `RepublishIncomplete`; `published`
 * says which
 *   stand) or the run could not begin; AnotherRunGoesOn with `otherRequest: 'refuse'`; TemporalUnavailable when Temporal
 *   cannot be reached; ConfigurationError when a REPUBLISH_* variable is wrong
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
