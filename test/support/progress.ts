import { noCounts, noStages, type Progress } from '../../contract/progress';

/** Of a run that publishes and has done nothing yet, or what the counts say. */
export function progressOf(overrides: Partial<Progress> = {}): Progress {
  const counts = { ...noCounts(), ...overrides };
  const standing = counts.published + counts.unchanged + counts.superseded;
  return {
    phase: 'publishing',
    cancelling: false,
    approvals: [],
    open: Math.max(0, counts.planned - standing - counts.failed),
    stages: { ...noStages(), encrypted: standing, signed: standing, sent: standing, standing },
    waiting: [],
    failures: [],
    documentTypes: {},
    ...counts,
    ...overrides,
  };
}
