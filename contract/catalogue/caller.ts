import { type FailureKind, ofBoth } from './kind';

/** The caller is at fault: the call, its input, or how somebody ended the run. */
export const CALLER = {
  InvalidInput: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'The workflow was started with an input it cannot accept.',
    remedy: 'Correct the input as the message says and start again; nothing was changed.',
  },
  OperatorNotFound: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'LNbits has no account with that id, or the account has no valid public key.',
    remedy:
      'Check the operator user id (accounts.id in LNbits) and LNBITS_DATABASE_URL and "queries.account".',
  },
  MachineNotFound: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'The request names a machine that the operator does not have.',
    remedy:
      'Check the machine ids against dca_machines for this operator, or leave them out (--machine, machineIds) for all.',
  },
  UnknownDocumentType: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'The request names a document type that no worker knows.',
    remedy:
      'Use one of the types that the message names. Or name the module that defines the type in "documentTypes" of the configuration, for the workers and for this command.',
  },
  ResultTooLarge: {
    scope: 'caller',
    ...ofBoth(({ subject, command }) => ({
      meaning: `The ${subject} is complete, but it has more event ids than a result can hold.`,
      remedy: `Do not start again. Read the ids with: ${command('audit')} --json.`,
    })),
  },
  RepublishIncomplete: {
    scope: 'caller',
    runOutcome: 'incomplete',
    exit: 'partlyDone',
    meaning: 'Some documents could not be republished; the others stand.',
    remedy: 'Correct what the failures name, then start again: only what is missing is done.',
  },
  Cancelled: {
    scope: 'caller',
    runOutcome: 'cancelled',
    ...ofBoth(({ subject }) => ({
      meaning: `Somebody cancelled the ${subject}. The audit says what was done before.`,
      remedy: 'Start again: only what is missing is done.',
    })),
  },
  Terminated: {
    scope: 'caller',
    ...ofBoth(({ subject, command, verify }) => ({
      meaning: `Somebody terminated the ${subject} in Temporal. \`republish ${subject === 'run' ? '' : 'fleet '}end\` does that, and writes the audit row from the ledger.`,
      remedy: `If the ${subject} has no audit row, write it first: ${command('end')}. Correct what kept the ${subject} from continuing, then start again: only what is missing is done. Events that were sent before may stand: ${verify}.`,
    })),
  },
  TimedOut: {
    scope: 'caller',
    ...ofBoth(({ subject }) => ({
      meaning: `The ${subject} did not end within the execution timeout that its caller set.`,
      remedy: 'Start again without an execution timeout: only what is missing is done.',
    })),
  },
  RunNotFound: {
    scope: 'caller',
    exit: 'preflight',
    ...ofBoth(({ subject, command }) => ({
      meaning: `Temporal knows no ${subject === 'run' ? 'run of that operator' : subject}. It forgets ended ${subject}s after its retention time; the audit keeps them.`,
      remedy: `Check ${subject === 'run' ? 'the operator user id' : 'REPUBLISH_TASK_QUEUE'} and TEMPORAL_NAMESPACE. Start a ${subject} with: ${command('start')}; see earlier ones with: ${command('audit')}.`,
    })),
  },
  AuditNotFound: {
    scope: 'caller',
    exit: 'preflight',
    ...ofBoth(({ subject, command }) => ({
      meaning: `The ledger has no ${subject} with that id${subject === 'run' ? ', and no run of an operator with that id' : ''}.`,
      remedy: `Check the id, and that DATABASE_URL or the data folder is the one of the ${subject}. A first ${subject} begins with: ${command('start')}.`,
    })),
  },
  AnotherRunGoesOn: {
    scope: 'caller',
    ...ofBoth(({ subject, command }) => ({
      meaning: `A ${subject} of another request is running${subject === 'run' ? ' for the operator' : ''}, and this call does not wait for its end. Nothing was started.`,
      remedy: `Leave --no-wait out to wait for its end, follow that ${subject} with --attach, or end it with: ${command('cancel')}; then start again.`,
    })),
  },
  ControlRefused: {
    scope: 'caller',
    ...ofBoth(({ subject, command }) => ({
      meaning: `The ${subject} refused the control. Nothing was changed.`,
      remedy: `See how the ${subject} stands with: ${command('status')}.`,
    })),
  },
  ConfigurationError: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'Settings are wrong or missing; the message names all of them at once, and no value.',
    remedy:
      'Correct the variables or keys that the message names; docs/configuration.md lists all with their defaults.',
  },
  DataFolderUnusable: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'The data folder, or one of its servers, cannot be used. The message says why.',
    remedy: 'Correct what the message names, and call the command again. See docs/data-folder.md.',
  },
  UsageError: {
    scope: 'caller',
    exit: 'usage',
    meaning: 'The command was called with wrong arguments.',
    remedy: 'See --help of the command, which begins with an example.',
  },
  SecretRefused: {
    scope: 'caller',
    exit: 'usage',
    meaning: 'The given signer cannot be used.',
    remedy:
      'Give what the message asks for, on standard input or in a file; see: republish signer add --help.',
  },
} as const satisfies Record<string, FailureKind>;
