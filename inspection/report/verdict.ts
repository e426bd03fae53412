import type { Intervention } from '../../contract/control';
import {
  type Failure,
  meaningOf,
  remedyFor,
  type Subject,
  traitsOf,
  wordsFor,
} from '../../contract/failures';
import { howFar } from '../../rules/how-far';
import type { Obstacle } from '../../contract/obstacle';
import { grouped } from '../../rules/page-name';
import { forOperator } from '../../rules/shell';
import type { RunReport, Verdict } from './model';

/** Everything that the verdict depends on: the report without it. */
export type JudgedRun = Omit<RunReport, 'verdict'> & {
  /** What ended the run before its documents, from the audit. */
  failure: Failure | null;
};

/** Remedies at the top of the report. The causes list all of them. */
const MAX_REMEDIES = 3;

/** How a run ended or stands, in one sentence, with what to do. */
export function verdictOf(run: JudgedRun): Verdict {
  const { remedies, remarks, ...verdict } = judged(run);
  return {
    ...newestKnown(verdict, 'run', run),
    remedies: remedies.map((text) => forOperator(text, run.operatorUserId)),
    remarks: [
      ...remarks.map((text) => forOperator(text, run.operatorUserId)),
      ...withoutTemporal(run.temporalAway),
    ],
  };
}

function judged(run: JudgedRun): Verdict {
  switch (run.state) {
    case 'complete':
      return complete(run);
    case 'incomplete':
      return {
        tone: 'bad',
        sentence: `Incomplete. ${standWords(run)}, ${run.counts.failed} ${run.counts.failed === 1 ? 'does' : 'do'} not${gaveUp(run)}.`,
        remedies: [...remediesOf(run), remedyFor('RepublishIncomplete')],
        remarks: remarksOf(run),
      };
    case 'failed':
      return {
        tone: 'bad',
        sentence: run.failure === null ? 'Failed.' : `Failed. ${meaningOf(run.failure.type)}`,
        remedies: run.failure === null ? remediesOf(run) : [remedyFor(run.failure.type)],
        remarks: [...standing(run), ...remarksOf(run)],
      };
    case 'cancelled':
      return {
        tone: 'warning',
        sentence: `Cancelled${byWhom(run.interventions.findLast(({ action }) => action === 'cancel'))}. ${soFar(run)}.`,
        remedies: [remedyFor('Cancelled')],
        remarks: remarksOf(run),
      };
    case 'goes on':
      return goesOn(run);
    case 'ended without audit':
      return {
        tone: 'bad',
        sentence: `Ended without an audit: ${temporalsWord(run.live)}. ${soFar(run)}.`,
        remedies: [remedyFor('Terminated')],
        remarks: ['This is from the ledger, which nobody has closed.'],
      };
    case 'unknown':
      return {
        tone: 'warning',
        sentence: `There is no audit: the run is not over, or somebody terminated it. ${soFar(run)}.`,
        remedies: ['See its state with: republish status <operator>.'],
        remarks: [],
      };
  }
}

/** A run without machines is complete. Most likely it looked in the wrong place. */
function withoutMachines({ lookedIn }: JudgedRun): Verdict {
  const where = lookedIn === undefined ? '' : ` They were looked for in ${lookedIn}.`;
  return {
    tone: 'warning',
    sentence: `Complete, and the operator had no machines: there was nothing to publish.${where}`,
    remedies: [
      'If there should be machines, correct the operator, LNBITS_DATABASE_URL or "preset", and start again. ' +
        'Where a run would look for them now: republish plan <operator>.',
    ],
    remarks: [],
  };
}

function complete(run: JudgedRun): Verdict {
  if (run.machines.length === 0) return withoutMachines(run);
  const { of } = howFar(run.counts);
  // Whoever gave them up knows it. Whoever reads this may not, and their machines wait.
  if (run.counts.givenUp > 0)
    return { tone: 'warning', sentence: `Complete. ${soFar(run)}.`, remedies: [], remarks: remarksOf(run) };
  return {
    tone: 'good',
    sentence:
      of === 0
        ? 'Complete. There was nothing to publish.'
        : of === 1
          ? 'Complete. The one document stands on the relays.'
          : `Complete. All ${grouped(of)} documents stand on the relays.`,
    remedies: [],
    remarks: remarksOf(run),
  };
}

function goesOn(run: JudgedRun): Verdict {
  const { live, counts } = run;
  const verdict = (tone: Verdict['tone'], what: string, ...remedies: string[]): Verdict => ({
    tone,
    sentence: `${what} ${soFar(run)} so far.`,
    remedies,
    remarks: remarksOf(run),
  });
  if (!live?.progress) {
    const { tone, sentence, remedy } = withoutWorker(live?.obstacle ?? null, 'run');
    const { remarks, ...stuck } = verdict(tone, sentence, remedy);
    return { ...stuck, remarks: [...(live?.cancelRequested ? [CANCELLATION_WAITS] : []), ...remarks] };
  }
  const { phase, paused, blocked, cancelling } = live.progress;
  if (cancelling) return verdict('calm', 'Is being cancelled: what is signed is finished, the rest is left.');
  if (paused !== undefined)
    return verdict('warning', `Paused${byWhom(paused)}.`, 'To go on: republish resume <operator>.');
  if (phase === 'holding') {
    const on = [
      ...(counts.failed > 0 ? [`${grouped(counts.failed)} failed`] : []),
      ...(counts.open > 0 ? [`${grouped(counts.open)} without outcome`] : []),
    ].join(' and ');
    return verdict(
      'warning',
      `Waits for a decision${on === '' ? '' : ` on ${on}`}.`,
      ...(blocked === undefined ? remediesOf(run) : [remedyFor(blocked.type)]),
      `Then try again: republish retry <operator>; give up: republish skip <operator>; end: republish ` +
        `cancel <operator>.`,
    );
  }
  if (blocked !== undefined)
    return verdict(
      'bad',
      `No further documents are begun. ${meaningOf(blocked.type)}`,
      remedyFor(blocked.type),
    );
  if (live.approvals > 0)
    return verdict(
      'warning',
      'The signer waits for a person to approve.',
      'Approve in the bunker; republish status <operator> shows the page on which to do it.',
    );
  return verdict('calm', `Running, ${phase}.`, ...(counts.failed > 0 ? remediesOf(run) : []));
}

const CANCELLATION_WAITS =
  'The cancellation waits until a worker continues the run. To end the run now, without a worker: republish end <operator>.';

/** Why a run or a fleet does not move. Temporal's own words are with the cause. */
export function withoutWorker(
  obstacle: Obstacle | null,
  subject: Subject,
): Pick<Verdict, 'tone'> & { sentence: string; remedy: string } {
  const type = obstacle?.type ?? 'WorkerSilent';
  const tone = traitsOf(type).obstacle === 'stuck' ? 'bad' : 'warning';
  const { meaning, remedy } = wordsFor(type, subject);
  return { tone, sentence: meaning, remedy };
}

/** What Temporal reports of a run or fleet that is over and has no audit. */
export function temporalsWord(live: { status: string } | null): string {
  return live === null ? 'Temporal does not know it any more' : `Temporal says ${live.status}`;
}

/**
 * The verdict on a run or a fleet that has its audit. If Temporal could not be asked, it says that a newer
 * one may exist: one that waits for a worker is not in the ledger yet.
 */
export function newestKnown<V extends Pick<Verdict, 'tone' | 'sentence'>>(
  verdict: V,
  what: 'run' | 'fleet',
  { temporalAway, auditRow }: Pick<RunReport, 'temporalAway' | 'auditRow'>,
): V {
  if (temporalAway === null || auditRow === null) return verdict;
  return {
    ...verdict,
    tone: verdict.tone === 'good' ? 'warning' : verdict.tone,
    sentence: `Temporal could not be asked for a newer ${what}. Of the newest in the ledger: ${verdict.sentence}`,
  };
}

export function withoutTemporal(temporalAway: string | null): string[] {
  return temporalAway === null
    ? []
    : [`Temporal could not be asked for the state of now; this is from the ledger. (${temporalAway})`];
}

type Standing = Pick<JudgedRun, 'counts' | 'live'>;

/** `22 of 24 documents stand; a person gave up 2`. */
function soFar(run: Standing): string {
  return standWords(run) + gaveUp(run);
}

function gaveUp({ counts: { givenUp } }: Standing): string {
  return givenUp === 0 ? '' : `; a person gave up ${grouped(givenUp)}`;
}

function standWords(run: Standing): string {
  const { live } = run;
  const { done, of } = howFar({
    ...run.counts,
    ...(live?.progress ? { stages: live.progress.stages } : {}),
  });
  if (of === 0) return 'No document was planned';
  if (of === 1) return done === 1 ? 'The one document stands' : 'The one document does not stand';
  return `${grouped(done)} of ${grouped(of)} documents stand`;
}

function standing(run: JudgedRun): string[] {
  return howFar(run.counts).of === 0 ? [] : [`${soFar(run)}.`];
}

function remediesOf({ causes }: JudgedRun): string[] {
  return causes
    .filter(({ type }) => traitsOf(type).decidedBy === undefined)
    .slice(0, MAX_REMEDIES)
    .map(({ remedy }) => remedy);
}

function remarksOf({ state, counts, relays, swept }: JudgedRun): string[] {
  const without = counts.skipped - counts.givenUp;
  const behind = relays.filter(({ others }) => others.some((each) => each.state !== 'newer')).length;
  return [
    ...(counts.superseded > 0
      ? [
          `${documents(counts.superseded, 'was', 'were')} saved again by somebody else meanwhile: the ` +
            `newer one stands, and machines take that.`,
        ]
      : []),
    ...(without > 0 ? [`${documents(without, 'had', 'had')} nothing to publish.`] : []),
    ...(behind > 0
      ? [
          `${behind === 1 ? 'One relay lacks' : `${grouped(behind)} relays lack`} documents that enough ` +
            `others hold: see Relays.`,
        ]
      : []),
    ...(swept === false && state !== 'failed'
      ? [
          'It was not looked at once more at the end: what stood when it was published may be gone ' +
            'since. republish verify asks the relays now.',
        ]
      : []),
  ];
}

function documents(count: number, one: string, many: string): string {
  return count === 1 ? `1 document ${one}` : `${grouped(count)} documents ${many}`;
}

export function byWhom(intervention: Intervention | undefined): string {
  if (intervention === undefined) return '';
  const { by, reason } = intervention;
  return `${by ? ` by ${by}` : ''}${reason ? ` (${reason})` : ''}`;
}
