import { noCounts, type Progress } from '../../contract/progress';

/** Of a run that publishes and has done nothing yet. */
export function progressOf(overrides: Partial<Progress> = {}): Progress {
  return {
    phase: 'publishing',
    cancelling: false,
    approvals: [],
    waiting: 0,
    failures: [],
    documentTypes: {},
    ...noCounts(),
    ...overrides,
  };
}
