import { Client, Connection } from '@temporalio/client';
import {
  loadTemporalConfiguration,
  type TemporalConfiguration,
  WITHOUT_PROXY,
} from '../configuration/temporal';
import { ensureError } from '../contract/failures';
import { TemporalRefused, TemporalUnavailable } from './errors';
import { answerOf } from './temporal-errors';

const CONNECT_TIMEOUT_MS = 4_000;

export interface OpenClient {
  client: Client;
  temporal: TemporalConfiguration;
  close(): Promise<void>;
}

/**
 * Connects to Temporal as TEMPORAL_ADDRESS and its companions say.
 *
 * @throws TemporalUnavailable within five seconds, naming the address and the remedy; TemporalRefused where it does not let
 * this client in; ConfigurationError where a certificate or profile cannot be read
 */
export async function connect(
  temporal: TemporalConfiguration = loadTemporalConfiguration(),
): Promise<OpenClient> {
  try {
    const connection = await Connection.connect({
      ...temporal.connection,
      connectTimeout: CONNECT_TIMEOUT_MS,
      channelArgs: WITHOUT_PROXY,
    });
    const client = new Client({ connection, namespace: temporal.namespace });
    return { client, temporal, close: () => connection.close() };
  } catch (thrown) {
    const answer = answerOf(thrown);
    if (answer !== undefined)
      throw new TemporalRefused(`Temporal at ${temporal.address} says ${answer}`, { cause: thrown });
    throw new TemporalUnavailable(
      `Temporal cannot be reached at ${temporal.address}: start it, or set TEMPORAL_ADDRESS to where it is (${ensureError(thrown).message})`,
      { cause: thrown },
    );
  }
}
