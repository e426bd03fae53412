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

/** An open connection to Temporal. Close it, or the process does not end. */
export interface OpenClient {
  /** For `startRepublish`, `findRepublish`, `startFleet` and `findFleet`. */
  client: Client;
  /** The address and namespace in use. */
  temporal: TemporalConfiguration;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /**
   * Address, namespace, TLS and API key. Default: TEMPORAL_ADDRESS (`localhost:7233`), TEMPORAL_NAMESPACE
   * (`default`), TEMPORAL_API_KEY, TEMPORAL_TLS* or a profile (TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE).
   */
  temporal?: TemporalConfiguration;
  /**
   * The data converter of the workers. Default: the module that REPUBLISH_DATA_CONVERTER (or the key
   * `dataConverter` of the configuration) names, else Temporal's own.
   */
  dataConverter?: DataConverter;
}

/**
 * Connects to Temporal. It waits at most 4 s.
 *
 * @throws TemporalUnavailable when the address does not answer
 * @throws TemporalRefused when Temporal does not let this client in
 * @throws ConfigurationError when a certificate, a profile or the data converter cannot be loaded
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
