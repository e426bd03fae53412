import { RepublishError, traitsOf } from '../../contract/failures';
import type { BunkerResult, Telemetry } from '../../contract/telemetry';

/** Reports to the telemetry how a request ends, and after how long. */
export function tellEnd(method: string, answer: Promise<unknown>, telemetry: Telemetry | undefined): void {
  if (telemetry === undefined) return;
  const startedAtMs = performance.now();
  const tell = (result: BunkerResult): void =>
    telemetry.bunkerRequestEnded(method, result, (performance.now() - startedAtMs) / 1_000);
  answer.then(
    () => tell('answered'),
    (thrown) => tell((thrown instanceof RepublishError && traitsOf(thrown.type).bunkerResult) || 'cancelled'),
  );
}
