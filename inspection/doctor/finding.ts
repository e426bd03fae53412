import { setTimeout as sleep } from 'node:timers/promises';
import { type CallerFailureType, isCallerFailureType } from '../../contract/caller-failures';
import { ensureError, type FailureType, isFailureType, remedyFor } from '../../contract/failures';

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

/** One line of `doctor`. */
export interface Finding {
  area: Area;
  /** Which relay, operator, query and so on. */
  subject: string;
  status: 'ok' | 'warn' | 'fail';
  message: string;
  /** What to do; with every `warn` and `fail`. */
  remedy?: string;
  /** Of a `fail`: the failure with which a command or worker ends for this reason, if known. */
  type?: FailureType | CallerFailureType;
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

/** The failure type of an endpoint that accepts connections and does not answer. */
const SILENT: Partial<Record<Area, Finding['type']>> = {
  temporal: 'TemporalUnavailable',
  database: 'DatabaseUnavailable',
  lnbits: 'SourceUnavailable',
};

/**
 * Runs one check. An error or a timeout becomes a finding, so that it neither stops nor delays the others.
 */
export async function check(
  area: Area,
  subject: string,
  timeoutMs: number,
  work: () => Promise<Finding[]>,
): Promise<Finding[]> {
  const { fail } = findingsOf(area, subject);
  const ended = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: ended.signal }).then(
    () => [
      fail(
        `no answer within ${timeoutMs / 1000} s`,
        'Something on the way takes connections and does not answer: check the address, the firewall and ' +
          'the service.',
        SILENT[area],
      ),
    ],
    () => [],
  );
  try {
    return await Promise.race([work(), late]);
  } catch (thrown) {
    const { message, remedy, type } = ensureError(thrown) as Error & { remedy?: unknown; type?: unknown };
    return [
      fail(
        message,
        typeof remedy === 'string' ? remedy : remedyFor('Unexpected'),
        isFailureType(type) || isCallerFailureType(type) ? type : 'Unexpected',
      ),
    ];
  } finally {
    ended.abort();
  }
}
