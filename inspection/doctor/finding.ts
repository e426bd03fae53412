import { ensureError, type FailureType, failureTypeOf, remedyFor } from '../../contract/failures';
import { within } from '../../async/wait';

export type Area =
  | 'configuration'
  | 'secrets key'
  | 'temporal'
  | 'database'
  | 'lnbits'
  | 'relay'
  | 'clock'
  | 'signer'
  | 'signers'
  | 'run';

/** One line of the doctor's. */
export interface Finding {
  area: Area;
  /** Which of them: a relay, an operator, a query. */
  subject: string;
  status: 'ok' | 'warn' | 'fail';
  message: string;
  /** What to do; with every `warn` and `fail`. */
  remedy?: string;
  /** Of a `fail`, where it is known: the failure with which a command or a worker ends for it. */
  type?: FailureType;
}

/** Makes the findings of one subject. */
export function findingsOf(area: Area, subject: string) {
  return {
    ok: (message: string): Finding => ({ area, subject, status: 'ok', message }),
    warn: (message: string, remedy: string): Finding => ({ area, subject, status: 'warn', message, remedy }),
    fail: (message: string, remedy: string, type?: Finding['type']): Finding => ({
      area,
      subject,
      status: 'fail',
      message,
      remedy,
      ...(type !== undefined && { type }),
    }),
  };
}

export const CORRECT_CONFIGURATION =
  'Correct it in the environment, or in republish.config.json (or the file that REPUBLISH_CONFIG names).';

/** What is looked at. */
interface Checked {
  area: Area;
  subject: string;
  timeoutMs: number;
  /** What it comes to that something takes connections and does not answer, where that is known. */
  silence?: FailureType;
}

/**
 * One check, by itself: what it throws and what it takes too long for is a finding, so that it neither stops
 * nor holds up the others.
 */
export async function check(
  { area, subject, timeoutMs, silence }: Checked,
  work: () => Promise<Finding[]>,
): Promise<Finding[]> {
  const { fail } = findingsOf(area, subject);
  try {
    const found = await within(work(), timeoutMs);
    if (found !== undefined) return found;
    return [
      fail(
        `no answer within ${timeoutMs / 1000} s`,
        'Something on the way takes connections and does not answer: check the address, the firewall and the service.',
        silence,
      ),
    ];
  } catch (thrown) {
    const { message, remedy } = ensureError(thrown) as Error & { remedy?: unknown };
    const type = failureTypeOf(thrown);
    return [fail(message, typeof remedy === 'string' ? remedy : remedyFor(type), type)];
  }
}
