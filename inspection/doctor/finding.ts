import { ensureError, type FailureType, failureTypeOf, remedyFor } from '../../contract/failures';
import { within } from '../../async/wait';

export type Area =
  | 'data folder'
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

/** One line of `doctor`. */
export interface Finding {
  area: Area;
  /** Which relay, operator, query and so on. */
  subject: string;
  /** `unknown`: nothing could be compared, or a `fail` is in the way, so it is neither good nor bad. */
  status: 'ok' | 'warn' | 'unknown' | 'fail';
  message: string;
  /** What to do; with every `warn` and `fail`. */
  remedy?: string;
  /** Of a `fail`: the failure with which a command or worker ends for this reason, if known. */
  type?: FailureType;
}

/** Makes the findings of one subject. */
export function findingsOf(area: Area, subject: string) {
  return {
    ok: (message: string): Finding => ({ area, subject, status: 'ok', message }),
    unknown: (message: string): Finding => ({ area, subject, status: 'unknown', message }),
    warn: (message: string, remedy: string): Finding => ({ area, subject, status: 'warn', message, remedy }),
    /** @param why a failure type, with the remedy of the catalogue; or a remedy that knows better */
    fail: (message: string, why: FailureType | { remedy: string; type?: FailureType }): Finding => ({
      ...{ area, subject, status: 'fail', message },
      ...(typeof why === 'string' ? { type: why, remedy: remedyFor(why) } : why),
    }),
  };
}

export const CORRECT_CONFIGURATION =
  'Correct it in the environment, or in republish.config.json (or the file that REPUBLISH_CONFIG names).';

/** What a check looks at. */
interface Checked {
  area: Area;
  subject: string;
  timeoutMs: number;
  /** The failure type of an endpoint that accepts connections and does not answer. */
  silence?: FailureType;
}

/**
 * Runs one check. An error or a timeout becomes a finding, so that it neither stops nor delays the others.
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
      fail(`no answer within ${timeoutMs / 1000} s`, {
        remedy:
          'Something on the way takes connections and does not answer: check the address, the firewall and the service.',
        ...(silence !== undefined && { type: silence }),
      }),
    ];
  } catch (thrown) {
    const { message, remedy } = ensureError(thrown) as Error & { remedy?: unknown };
    const type = failureTypeOf(thrown);
    return [fail(message, typeof remedy === 'string' ? { type, remedy } : type)];
  }
}
