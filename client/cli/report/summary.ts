import type { Report } from '../../../inspection/report/model';
import { paragraph } from '../terminal/table';
import { grouped, plural } from './page';

/** Reasons of one cause that a person reads here; the page has more. */
const MAX_REASONS = 3;

/** What a terminal shows of a report: the sentence, what to do, and what went wrong. */
export function summaryOf(report: Report): string {
  const { verdict, causes, howFar, asOf, runId } = report;
  const who = report.kind === 'run' ? `operator ${report.operatorUserId}` : 'fleet';
  const lines = [
    `${who}, run ${runId}, as of ${asOf.slice(0, 10)} ${asOf.slice(11, 19)} UTC`,
    `${verdict.sentence}${howFar.percent === undefined ? '' : ` (${howFar.percent} %)`}`,
    ...verdict.remedies.map((text) => `do: ${text}`),
    ...verdict.remarks,
  ];
  for (const { type, failed, open, reasons, reasonsInAll } of causes) {
    const what = report.kind === 'run' ? 'document' : 'operator';
    const counts = [
      ...(failed > 0 ? [`${plural(failed, what)} failed`] : []),
      ...(open > 0 ? [`${plural(open, what)} being tried again`] : []),
    ].join(', ');
    lines.push('', counts === '' ? type : `${type}: ${counts}`);
    for (const { text, examples, count } of reasons.slice(0, MAX_REASONS)) {
      const named = examples.map(({ name }) => name).join(', ');
      const more = count > examples.length ? ` and ${grouped(count - examples.length)} more` : '';
      lines.push(`  ${[text, named + more].filter((part) => part !== '').join(': ')}`);
    }
    if (reasonsInAll > MAX_REASONS) lines.push(`  and ${grouped(reasonsInAll - MAX_REASONS)} more reasons`);
  }
  return lines.map((line) => (line === '' ? '' : paragraph(line))).join('\n');
}
