import type { CallerFailureType } from '../../contract/caller-failures';
import type { FailureType } from '../../contract/failures';

/** Exit codes of `republish`; scripts rely on them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  partlyDone: 3,
  signer: 4,
  preflight: 5,
  detached: 130,
} as const;

const PREFLIGHT: ReadonlySet<string> = new Set<FailureType | CallerFailureType>([
  'InvalidInput',
  'OperatorNotFound',
  'MachineNotFound',
  'UnknownDocumentType',
  'DatabaseMisconfigured',
  'DatabaseUnavailable',
  'SourceMisconfigured',
  'SourceUnavailable',
  'RunNotFound',
  'AuditNotFound',
  'TemporalUnavailable',
  'TemporalRefused',
  'ConfigurationError',
  'DataFolderUnusable',
]);

const USAGE: ReadonlySet<string> = new Set<CallerFailureType>(['UsageError', 'SecretRefused']);

/** The exit code for a failure type. */
export function exitCodeFor(type: string): number {
  if (USAGE.has(type)) return EXIT.usage;
  if (type === 'RepublishIncomplete' || type === 'LedgerIncomplete') return EXIT.partlyDone;
  if (type.startsWith('Signer')) return EXIT.signer;
  return PREFLIGHT.has(type) ? EXIT.preflight : EXIT.failed;
}
