import type { Intervention } from '../contract/control';
import { type FailureType, remedyFor } from '../contract/failures';
import { givenUpWords, howFar } from '../rules/how-far';
import { machineOf, type NamedMachine } from '../rules/machine-name';
import { type Counts, OUTCOMES, type Outcome, type Progress } from '../contract/progress';
import { shellWord } from '../rules/shell';
import { notAttemptedLine, tellFailures } from '../rules/told-failures';

/** Most failures that are shown. */
const MAX_SHOWN = 10;

/** The UI's tables have no gap between columns, and Markdown removes ordinary spaces. */
const GAP = '\u00a0\u00a0\u00a0';

/** The details of a run in the Temporal UI, as Markdown: progress, what it waits for, failures, commands. */
export function currentDetails(progress: Progress, operatorUserId: string): string {
  const operator = shellWordInCode(operatorUserId);
  const { phase } = progress;
  const paragraphs = [
    `**${phase}**${progress.cancelling ? ' (cancelled: what is signed is finished)' : ''}${share(progress)}`,
    ...noMachines(progress),
    ...waitsForPeople(progress, operator),
    ...waitsForOthers(progress, operator),
    table(progress),
    ...failureParagraphs(progress, operator),
    commands(progress, operator),
  ];
  return paragraphs.join('\n\n');
}

function share(progress: Progress): string {
  const { planned, skipped, failed } = progress;
  if (planned === 0 && skipped === 0) return '';
  const { done, of, percent } = howFar(progress);
  const inPercent = percent === undefined ? '' : ` (${percent} %)`;
  const inFailures = failed > 0 ? `, ${failed} failed` : '';
  return `: ${done} of ${of} documents${inPercent}${inFailures}${givenUpWords(progress)}`;
}

/** A run without machines is complete. Most likely it looked in the wrong place. */
function noMachines({ lookedIn }: Progress): string[] {
  return lookedIn === undefined
    ? []
    : [`**The operator has no machines.** They were looked for in ${escapeMarkdown(lookedIn)}.`];
}

/** What a person must do before the run continues. */
function waitsForPeople(progress: Progress, operator: string): string[] {
  const { phase, paused, approvals, blocked, failed, open, planned, cancelling } = progress;
  const isOver = phase === 'done';
  const lines = approvals.map(
    (url) => `**The signer waits for a person.** Approve here: <${url.replace(/[<>\s]/g, '')}>`,
  );
  if (paused !== undefined && !isOver && !cancelling) {
    lines.push(pausedLine(paused, `republish resume ${operator}`));
  }
  if (blocked !== undefined) {
    const what = isOver
      ? 'The run ended'
      : phase === 'holding'
        ? 'The run does not continue'
        : 'No further documents are begun';
    lines.push(
      `**${what}, because of ${blocked.type}**: ${escapeMarkdown(blocked.message)}`,
      remedyLine(blocked.type, operator),
    );
  }
  if (phase === 'holding') {
    const what = [...(failed > 0 ? [`${failed} failed`] : []), ...(open > 0 ? [`${open} open`] : [])];
    const on = what.length > 0 ? ` on ${what.join(' and ')}` : '';
    const skip = planned > 0 ? `, \`republish skip ${operator}\` gives them up` : '';
    lines.push(
      `**Waits for a decision**${on}: \`republish retry ${operator}\` tries again${skip}, \`republish cancel ${operator}\` ends the run.`,
    );
  }
  return lines;
}

/** Who paused a run or a fleet and why, and the command that continues it. */
export function pausedLine({ by, reason }: Intervention, resume: string): string {
  const who = by ? ` by ${escapeMarkdown(by)}` : '';
  const why = reason ? `: ${escapeMarkdown(reason)}` : '';
  return `**Paused**${who}${why}. To continue: \`${resume}\``;
}

/** What is in work, and what it waits for. */
function waitsForOthers({ phase, open, stages, waiting }: Progress, operator: string): string[] {
  const more = `Why it takes its time, if it does: tab *Pending Activities*, or \`republish status ${operator}\`.`;
  if (phase === 'loading machines') return [`Loads the machines. ${more}`];
  if (phase === 'proving signer') return [`Waits for the signer. ${more}`];
  if (phase === 'sweeping') return [`Reads every document back once more. ${more}`];
  if (phase !== 'publishing' || open === 0) return [];
  const { encrypted, signed, sent, standing } = stages;
  const lines = [
    // A workflow learns of a page when it ends. The UI shows pages in work on another tab.
    `Open: ${open}. So far ${encrypted} encrypted, ${signed} signed, ${sent} sent, ${standing} standing. What is in work at this moment: tab *Pending Activities*, or \`republish status ${operator}\`.`,
  ];
  const shown = waiting.slice(0, MAX_SHOWN).map(({ why, since, tries, ...document }) => {
    const trouble = since === undefined ? '' : ` (${tries ?? 0} failed tries since ${since})`;
    return `- ${nameOf(document)} waits: ${escapeMarkdown(why)}${trouble}`;
  });
  if (waiting.length > shown.length) shown.push(`- and ${waiting.length - shown.length} more`);
  return shown.length > 0 ? [...lines, shown.join('\n')] : lines;
}

/** A row for each document type, without columns that are zero: the panel of the UI is narrow. */
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

/** The failures with their remedies. A remedy that is shown above is not repeated. */
function failureParagraphs(progress: Progress, operator: string): string[] {
  const { failures, failed, blocked, documentTypes } = progress;
  if (failures.length === 0) return [];
  const types = Object.keys(documentTypes);
  const { reasons, notAttempted, unnamed } = tellFailures(progress, { cause: blocked, documentTypes: types });
  const documents = reasons.flatMap(({ documents }) => documents);
  const shown = documents.slice(0, MAX_SHOWN);
  const lines = shown.map(
    ({ type, message, ...document }) => `- ${nameOf(document)}: **${type}**: ${escapeMarkdown(message)}`,
  );
  if (documents.length > shown.length) lines.push(`- and ${documents.length - shown.length} more`);
  if (notAttempted > 0) lines.push(`- ${notAttemptedLine(notAttempted)}`);
  if (unnamed > 0) lines.push(`- and ${unnamed} more`);
  const others = [...new Set(shown.map(({ type }) => type))].filter((type) => type !== blocked?.type);
  return [
    `**Failed: ${failed}**`,
    lines.join('\n'),
    ...others.map((type) => remedyLine(type, operator)),
    ...(documents.length === 0 && blocked === undefined ? [remedyLine('NotAttempted', operator)] : []),
  ];
}

function nameOf({ documentType, ...machine }: NamedMachine & { documentType: string }): string {
  return `${escapeMarkdown(documentType)} of machine ${escapeMarkdown(machineOf(machine))}`;
}

function commands({ phase, failed, blocked }: Progress, operator: string): string {
  const audit = `\`republish audit ${operator}\``;
  if (phase !== 'done')
    return `\`republish watch ${operator}\` follows this run, ${audit} shows earlier ones.`;
  const again = `\`republish start ${operator}\``;
  return failed > 0 || blocked !== undefined
    ? `${audit} names all of it. When the cause is corrected, ${again} does only what is missing.`
    : `${audit} shows what it did.`;
}

function remedyLine(type: FailureType, operator: string): string {
  return `Remedy for ${type}: ${remedyFor(type).replaceAll('<operator>', () => operator)}`;
}

/** Not seen, and no part of an address: an escape alone does not keep the UI from making a link of one. */
const NO_LINK = '\u2060';

/** Text from outside, in Markdown: it cannot become a link, an image, a table cell or code. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\`*_{}[\]<>|#~!&]/g, '\\$&')
    .replace(/\s+/g, ' ')
    .replace(/:(?=\/)|www(?=\.)|@/gi, `$&${NO_LINK}`);
}

/** An id as a shell word within Markdown code. */
function shellWordInCode(id: string): string {
  return shellWord(id.replaceAll('`', ''));
}
