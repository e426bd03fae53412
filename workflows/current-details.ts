import { remedyFor } from '../contract/failures';
import { OUTCOMES, type Progress } from '../contract/progress';

/** Failures that the display has room for. */
const MAX_SHOWN = 10;

/** What a run shows of itself in the Temporal UI, as Markdown: how far it is, what it waits for, what failed, what to type. */
export function currentDetails(progress: Progress, operatorUserId: string): string {
  const operator = quoted(operatorUserId);
  const { phase, paused, approvals, failures, failed, waiting } = progress;
  const lines = [`**${phase}**${progress.cancelling ? ' (cancelled: what is in work is finished)' : ''}`, ''];
  for (const url of approvals)
    lines.push(`**The signer waits for a person.** Approve here: <${url.replace(/[<>\s]/g, '')}>`, '');
  if (paused !== undefined) {
    lines.push(
      `**Paused**${paused.by ? ` by ${plain(paused.by)}` : ''}${paused.reason ? `: ${plain(paused.reason)}` : ''}. To go on: \`republish resume ${operator}\``,
      '',
    );
  }
  if (phase === 'holding') {
    lines.push(
      `**Waits for a decision** on ${failed} failed${waiting > 0 ? ` and ${waiting} not begun` : ''}: \`republish retry ${operator}\` tries again, \`republish skip ${operator}\` gives them up, \`republish cancel ${operator}\` ends the run.`,
      '',
    );
  }
  lines.push(...table(progress), '');
  if (failures.length > 0) lines.push(...failureLines(progress), '');
  lines.push(
    `\`republish watch ${operator}\` follows this run, \`republish audit ${operator}\` shows what it did.`,
  );
  return lines.join('\n');
}

function table({ documentTypes }: Progress): string[] {
  const rows = Object.entries(documentTypes).map(
    ([type, counts]) =>
      `| ${type} | ${counts.planned} | ${OUTCOMES.map((outcome) => counts[outcome]).join(' | ')} |`,
  );
  return [
    `| document type | planned | ${OUTCOMES.join(' | ')} |`,
    `|---|---|${'---|'.repeat(OUTCOMES.length)}`,
    ...rows,
  ];
}

function failureLines({ failures, failed }: Progress): string[] {
  const shown = failures.slice(0, MAX_SHOWN);
  const lines = shown.map(
    ({ documentType, machineId, type, message }) =>
      `- ${plain(documentType)} of machine ${plain(machineId)}: **${type}**: ${plain(message)}`,
  );
  if (failed > shown.length) lines.push(`- and ${failed - shown.length} more`);
  const types = [...new Set(shown.map(({ type }) => type))];
  return [...lines, '', ...types.map((type) => `Remedy for ${type}: ${remedyFor(type)}`)];
}

/** Strangers' words in Markdown: no link, no image, no table cell, no code. */
export function plain(text: string): string {
  return text.replace(/[\\`*_{}[\]<>|#~!]/g, '\\$&').replace(/\s+/g, ' ');
}

/** An id as a shell takes it, in Markdown code. */
function quoted(id: string): string {
  return /^[\w.@:/-]+$/.test(id) ? id : `'${id.replaceAll('`', '').replaceAll("'", `'\\''`)}'`;
}
