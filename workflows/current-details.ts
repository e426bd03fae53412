import { remedyFor } from '../contract/failures';
import { type Counts, OUTCOMES, type Outcome, type Progress } from '../contract/progress';

/** Failures that the display has room for. */
const MAX_SHOWN = 10;

/** The UI's tables have no gap between columns, and Markdown takes away every space but these. */
const GAP = '\u00a0\u00a0\u00a0';

/** What a run shows of itself in the Temporal UI, as Markdown: how far it is, what it waits for, what failed, what to type. */
export function currentDetails(progress: Progress, operatorUserId: string): string {
  const operator = quoted(operatorUserId);
  const { phase, failures } = progress;
  const paragraphs = [
    `**${phase}**${progress.cancelling ? ' (cancelled: what is in work is finished)' : ''}${howFar(progress)}`,
    ...waits(progress, operator),
    table(progress),
    ...(failures.length > 0 ? failureParagraphs(progress) : []),
    commands(progress, operator),
  ];
  return paragraphs.join('\n\n');
}

function howFar({ planned, skipped, failed, ...counts }: Progress): string {
  if (planned === 0 && skipped === 0) return '';
  const standing = doneOf({ ...counts, failed: 0 });
  const share = planned > 0 ? ` (${Math.floor((standing / planned) * 100)} %)` : '';
  return `: ${standing} of ${planned} documents${share}${failed > 0 ? `, ${failed} failed` : ''}`;
}

/** What the run waits for, if it is for somebody or something outside of it. */
function waits(progress: Progress, operator: string): string[] {
  const { phase, paused, approvals, failed, waiting, planned } = progress;
  const lines = approvals.map(
    (url) => `**The signer waits for a person.** Approve here: <${url.replace(/[<>\s]/g, '')}>`,
  );
  if (paused !== undefined) {
    lines.push(
      `**Paused**${paused.by ? ` by ${plain(paused.by)}` : ''}${paused.reason ? `: ${plain(paused.reason)}` : ''}. To go on: \`republish resume ${operator}\``,
    );
  }
  if (phase === 'holding') {
    lines.push(
      `**Waits for a decision** on ${failed} failed${waiting > 0 ? ` and ${waiting} not begun` : ''}: \`republish retry ${operator}\` tries again, \`republish skip ${operator}\` gives them up, \`republish cancel ${operator}\` ends the run.`,
    );
  }
  const inWork = planned - doneOf(progress) - waiting;
  if (phase === 'publishing' && inWork > 0) {
    // A workflow is not told of its activities' attempts; the UI shows them one tab further.
    lines.push(
      `In work: ${inWork}, waiting: ${waiting}. What is being retried, why and when next: tab *Pending Activities*, or \`republish status ${operator}\`.`,
    );
  } else if (phase === 'checking signer' || phase === 'asking signer') {
    lines.push(`Waits for ${phase === 'asking signer' ? 'the signer' : 'the database'}.`);
  }
  return lines;
}

/** A row for each document type, with the columns that say something: the panel of the UI is narrow. */
function table({ documentTypes, ...total }: Progress): string {
  const columns: ('planned' | Outcome)[] = [
    'planned',
    ...OUTCOMES.filter((outcome) => outcome === 'published' || total[outcome] > 0),
  ];
  const row = (name: string, counts: Counts): string =>
    `| ${name} | ${columns.map((column) => counts[column]).join(' | ')} |`;
  return [
    `| document type | ${columns.map((column) => GAP + column).join(' | ')} |`,
    `|---|${'--:|'.repeat(columns.length)}`,
    ...Object.entries(documentTypes).map(([type, counts]) => row(type, counts)),
    row('**all**', total),
  ].join('\n');
}

function failureParagraphs({ failures, failed }: Progress): string[] {
  const shown = failures.slice(0, MAX_SHOWN);
  const lines = shown.map(
    ({ documentType, machineId, type, message }) =>
      `- ${plain(documentType)} of machine ${plain(machineId)}: **${type}**: ${plain(message)}`,
  );
  if (failed > shown.length) lines.push(`- and ${failed - shown.length} more`);
  const types = [...new Set(shown.map(({ type }) => type))];
  return [
    `**Failed: ${failed}**`,
    lines.join('\n'),
    ...types.map((type) => `Remedy for ${type}: ${remedyFor(type)}`),
  ];
}

function commands({ phase, failed }: Progress, operator: string): string {
  const audit = `\`republish audit ${operator}\``;
  if (phase !== 'done')
    return `\`republish watch ${operator}\` follows this run, ${audit} shows earlier ones.`;
  const again = `\`republish start ${operator}\``;
  return failed > 0
    ? `${audit} names all of it. When it is mended, ${again} does only what is missing.`
    : `${audit} shows what it did.`;
}

function doneOf({ published, unchanged, superseded, failed }: Omit<Counts, 'planned' | 'skipped'>): number {
  return published + unchanged + superseded + failed;
}

/** Not seen, and no part of an address: an escape alone does not keep the UI from making a link of one. */
const NO_LINK = '\u2060';

/** Strangers' words in Markdown: no link, no image, no table cell, no code. */
export function plain(text: string): string {
  return text
    .replace(/[\\`*_{}[\]<>|#~!&]/g, '\\$&')
    .replace(/\s+/g, ' ')
    .replace(/:(?=\/)|www(?=\.)|@/gi, `$&${NO_LINK}`);
}

/** An id as a shell takes it, in Markdown code. */
function quoted(id: string): string {
  return /^[\w.@:/-]+$/.test(id) ? id : `'${id.replaceAll('`', '').replaceAll("'", `'\\''`)}'`;
}
