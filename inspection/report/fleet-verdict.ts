import { type Failure, meaningOf, remedyFor } from '../../contract/failures';
import { grouped } from '../../rules/page-name';
import type { FleetReport, LiveFleet, Verdict } from './model';
import { byWhom, newestKnown, temporalsWord, withoutTemporal, withoutWorker } from './verdict';

const MAX_REMEDIES = 3;

/** How a fleet ended or stands, in one sentence, with what to do. */
export function fleetVerdictOf(
  fleet: Omit<FleetReport, 'verdict'>,
  known: { failure: Failure | null; live: LiveFleet | null },
): Verdict {
  const verdict = judged(fleet, known);
  return {
    ...newestKnown(verdict, 'fleet', fleet),
    remarks: [...verdict.remarks, ...withoutTemporal(fleet.temporalAway)],
  };
}

function judged(
  fleet: Omit<FleetReport, 'verdict'>,
  { failure, live }: { failure: Failure | null; live: LiveFleet | null },
): Verdict {
  const { counts, causes, interventions, state } = fleet;
  const soFar =
    `${grouped(counts.complete)} of ${operators(counts.planned)} ` +
    `${counts.planned === 1 ? 'is' : 'are'} complete`;
  const remedies = [
    ...causes.slice(0, MAX_REMEDIES).map(({ remedy }) => remedy),
    ...(causes.length === 0
      ? []
      : ['Then start the fleet again: republish fleet start. Only what is missing is done.']),
  ];
  switch (state) {
    case 'complete':
      return {
        tone: 'good',
        sentence:
          counts.planned === 0
            ? 'Complete. The fleet had no operators.'
            : `Complete. All documents of ${operators(counts.planned)} stand on the relays.`,
        remedies: [],
        remarks: counts.planned === 0 ? ['Has anybody a signer? Is "queries.operators" right?'] : [],
      };
    case 'incomplete':
      return { tone: 'bad', sentence: `Incomplete. ${soFar}.`, remedies, remarks: notBegun(fleet) };
    case 'failed':
      return {
        tone: 'bad',
        sentence: failure === null ? `Failed. ${soFar}.` : `Failed. ${meaningOf(failure.type, 'fleet')}`,
        remedies: failure === null ? remedies : [remedyFor(failure.type, 'fleet')],
        remarks: [`${soFar}.`],
      };
    case 'cancelled': {
      const cancel = interventions.findLast(({ action }) => action === 'cancel');
      return {
        tone: 'warning',
        sentence: `Cancelled${byWhom(cancel)}. ${soFar}.`,
        remedies: [remedyFor('Cancelled', 'fleet')],
        remarks: notBegun(fleet),
      };
    }
    case 'goes on':
      return goesOn(live, soFar, remedies);
    case 'ended without audit':
      return {
        tone: 'bad',
        sentence: `Ended without an audit: ${temporalsWord(live)}. ${soFar}.`,
        remedies: [remedyFor('Terminated', 'fleet')],
        remarks: [],
      };
    case 'unknown':
      return {
        tone: 'warning',
        sentence: `There is no audit: the fleet is not over, or somebody terminated it. ${soFar}.`,
        remedies: ['See its state with: republish fleet status.'],
        remarks: [],
      };
  }
}

function goesOn(live: LiveFleet | null, soFar: string, remedies: string[]): Verdict {
  const progress = live?.progress ?? null;
  if (progress === null) {
    const { tone, sentence, remedy } = withoutWorker(live?.obstacle ?? null, 'fleet');
    return {
      tone,
      sentence: `${sentence} ${soFar} so far.`,
      remedies: [remedy],
      remarks: [],
    };
  }
  if (progress.paused !== undefined)
    return {
      tone: 'warning',
      sentence: `Paused${byWhom(progress.paused)}. ${soFar} so far.`,
      remedies: ['To go on: republish fleet resume.'],
      remarks: [],
    };
  const what = progress.cancelling ? 'Is being cancelled' : `Running, ${progress.phase}`;
  return {
    tone: 'calm',
    sentence: `${what}. ${soFar} so far, ${grouped(progress.running)} in work.`,
    remedies: remedies.slice(0, -1),
    remarks: [],
  };
}

function notBegun({ counts }: Pick<FleetReport, 'counts'>): string[] {
  return counts.waiting === 0
    ? []
    : [`${operators(counts.waiting)} ${counts.waiting === 1 ? 'was' : 'were'} not begun.`];
}

function operators(count: number): string {
  return `${grouped(count)} operator${count === 1 ? '' : 's'}`;
}
