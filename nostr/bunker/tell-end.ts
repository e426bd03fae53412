import { RepublishError } from '../../contract/failures';
import type { BunkerResult, Telemetry } from '../../contract/telemetry';

const RESULTS: Record<string, BunkerResult> = {
  SignerRefused: 'refused',
  SignerBusy: 'refused',
  SignerPending: 'refused',
  // The answer was empty.
  SignerReturnedWrongEvent: 'refused',
  SignerTimeout: 'timeout',
  SignerUnreachable: 'unreachable',
  SignerApprovalPending: 'approval_pending',
};

/** Reports to the telemetry how a request ends, and after how long. */
export function tellEnd(method: string, answer: Promise<unknown>, telemetry: Telemetry | undefined): void {
  if (telemetry === undefined) return;
  const startedAtMs = performance.now();
  const tell = (result: BunkerResult): void =>
    telemetry.bunkerRequestEnded(method, result, (performance.now() - startedAtMs) / 1_000);
  answer.then(
    () => tell('answered'),
    (thrown) => tell((thrown instanceof RepublishError && RESULTS[thrown.type]) || 'cancelled'),
  );
}
