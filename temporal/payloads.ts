import {
  ApplicationFailure,
  type LoadedDataConverter,
  type Payload,
  type ProtoFailure,
} from '@temporalio/common';
import {
  decodeFromPayloadsAtIndex,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow';
import { reasonIn } from '../contract/failures';

/** Where a client has what it reads payloads with. */
export interface Reader {
  readonly options: { readonly loadedDataConverter: LoadedDataConverter };
}

/** What payloads that stand raw in an answer of Temporal say, by the codecs of the client that asked. */
export async function firstValue<T>(
  { options }: Reader,
  payloads: Payload[] | null | undefined,
): Promise<T | undefined> {
  if (payloads == null || payloads.length === 0) return undefined;
  return (await decodeFromPayloadsAtIndex<T | null>(options.loadedDataConverter, 0, payloads)) ?? undefined;
}

/** A client as far as it reads histories. */
interface HistoryReader extends Reader {
  readonly options: Reader['options'] & { readonly namespace: string };
  readonly workflowService: {
    getWorkflowExecutionHistory(request: {
      namespace: string;
      execution: { workflowId: string; runId: string };
      maximumPageSize: number;
    }): Promise<{
      history?: {
        events?:
          | {
              workflowExecutionStartedEventAttributes?: {
                input?: { payloads?: Payload[] | null } | null;
              } | null;
            }[]
          | null;
      } | null;
    }>;
  };
}

/**
 * What an execution was started with, as its history has it; undefined where this client cannot read that.
 */
export async function requestInHistory(
  client: HistoryReader,
  execution: { workflowId: string; runId: string },
): Promise<unknown> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution,
    maximumPageSize: 1,
  });
  const { input } = history?.events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
  return firstValue(client, input?.payloads).catch(() => undefined);
}

/**
 * Type and message of a failure that stands raw in an answer of Temporal; where it cannot be read, what is in
 * clear.
 */
export async function failureIn(
  { options }: Reader,
  failure: ProtoFailure,
): Promise<{ type: string; message: string; reason?: string | undefined }> {
  const type = failure.applicationFailureInfo?.type ?? '';
  try {
    const error = await decodeOptionalFailureToOptionalError(options.loadedDataConverter, failure);
    const reason = error instanceof ApplicationFailure ? reasonIn(error.details) : undefined;
    return { type, message: error?.message ?? '', reason };
  } catch {
    return { type, message: failure.message ?? '' };
  }
}
