import { type Client, WorkflowClient } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';

const known = new WeakMap<Client, WorkflowClient>();

/**
 * The same client, for reading only. A payload that another data converter wrote is null. Otherwise one
 * unreadable memo would make `describe` fail for the whole run.
 */
export function unreadableAsNull(client: Client): WorkflowClient {
  const made = known.get(client);
  if (made !== undefined) return made;
  const { namespace, identity, loadedDataConverter } = client.options;
  const { payloadCodecs, payloadConverter } = loadedDataConverter;
  const read = async (payload: Payload): Promise<Payload> => {
    try {
      let decoded = [payload];
      for (const codec of [...payloadCodecs].reverse()) decoded = await codec.decode(decoded);
      const value: unknown = payloadConverter.fromPayload(decoded[0] ?? payload);
      return defaultPayloadConverter.toPayload(value);
    } catch {
      return defaultPayloadConverter.toPayload(null);
    }
  };
  const looking = new WorkflowClient({
    connection: client.connection,
    namespace,
    identity,
    dataConverter: {
      payloadCodecs: [
        {
          encode: (payloads) => Promise.resolve(payloads),
          decode: (payloads) => Promise.all(payloads.map(read)),
        },
      ],
    },
  });
  known.set(client, looking);
  return looking;
}
