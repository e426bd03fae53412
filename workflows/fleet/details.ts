import type { FleetProgress } from '../../contract/fleet';
import { howFarOfFleet } from '../../rules/how-far';
import { compareIds } from '../../rules/machine-name';
import { escapeMarkdown, pausedLine } from '../current-details';

/** Most operators that are shown. */
const MAX_SHOWN = 10;

/** The details of a fleet in the Temporal UI, as Markdown: progress, failures, commands. */
export function fleetDetails(progress: FleetProgress): string {
  const { phase, paused, planned, waiting, running, operators, atWork } = progress;
  const { done, of, percent } = howFarOfFleet(progress);
  const share = percent === undefined ? '' : `: ${done} of ${of} operators complete (${percent} %)`;
  const cancelling = progress.cancelling ? ' (cancelled: what is in work is finished)' : '';
  const lines = [`**${phase}**${cancelling}${share}`, ''];
  if (paused !== undefined) {
    lines.push(pausedLine(paused, 'republish fleet resume'), '');
  }
  lines.push(
    '| operators | waiting | running | complete | incomplete | failed | cancelled |',
    '|---|---|---|---|---|---|---|',
    `| ${[planned, waiting, running, operators.complete, operators.incomplete, operators.failed, operators.cancelled].join(' | ')} |`,
    '',
  );
  if (atWork.length > 0) {
    const more = running > MAX_SHOWN ? ` and ${running - MAX_SHOWN} more` : '';
    lines.push(`In work: ${atWork.slice(0, MAX_SHOWN).map(escapeMarkdown).join(', ')}${more}`, '');
  }
  if (progress.failures.length > 0) lines.push(...failureLines(progress), '');
  lines.push('`republish fleet status` shows this, `republish fleet audit` what fleets have done.');
  return lines.join('\n');
}

function failureLines({ failures, operators }: FleetProgress): string[] {
  const sorted = failures.toSorted((a, b) => compareIds(a.operatorUserId, b.operatorUserId));
  const shown = sorted.slice(0, MAX_SHOWN);
  const lines = shown.map(
    ({ operatorUserId, outcome, failure }) =>
      `- ${escapeMarkdown(operatorUserId)} is ${outcome}${failure ? `: **${failure.type}**: ${escapeMarkdown(failure.message)}` : ''}`,
  );
  const all = operators.incomplete + operators.failed + operators.cancelled;
  return all > shown.length ? [...lines, `- and ${all - shown.length} more`] : lines;
}
