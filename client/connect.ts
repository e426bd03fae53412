import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { configuredDataConverter, withEncodedFailures } from '../configuration/data-converter';
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

export interface ConnectOptions {
  /** Default: as TEMPORAL_ADDRESS and its companions say. */
  temporal?: TemporalConfiguration;
  /**
   * As the workers have it. Default: that of the module that REPUBLISH_DATA_CONVERTER (or `dataConverter`)
   * names.
   */
  dataConverter?: DataConverter;
}

/**
 * Connects to Temporal.
 *
 * @throws TemporalUnavailable within five seconds, naming the address and the remedy; TemporalRefused where
 * it does not let this client in; ConfigurationError where a certificate, a profile or the data converter
 * cannot be loaded
 */
export async function connect({
  temporal = loadTemporalConfiguration(),
  dataConverter: given,
}: ConnectOptions = {}): Promise<OpenClient> {
  const dataConverter = withEncodedFailures(given ?? (await configuredDataConverter()));
  try {
    const connection = await Connection.connect({
      ...temporal.connection,
      connectTimeout: CONNECT_TIMEOUT_MS,
      channelArgs: WITHOUT_PROXY,
    });
    const client = new Client({
      connection,
      namespace: temporal.namespace,
      ...(dataConverter === undefined ? {} : { dataConverter }),
    });
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
