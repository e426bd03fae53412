import { grouped } from '../../../rules/page-name';
import type { Report } from '../../../inspection/report/model';
import { terminalWidth } from '../terminal/table';
import { wrapLines } from '../terminal/text';
import { countOf } from './causes';
import { plainTime } from './words';

/** At most so many reasons of a cause. The page has more. */
const MAX_REASONS = 3;

/** What a terminal shows of a report: the sentence, what to do, and what went wrong. */
export function summaryOf(report: Report): string {
  const { verdict, causes, howFar, asOf, runId, auditRow } = report;
  const who = report.kind === 'run' ? `operator ${report.operatorUserId}` : 'fleet';
  const lines = [
    `${who}, run ${runId}, as of ${plainTime(asOf)}`,
    `${verdict.sentence}${howFar.percent === undefined ? '' : ` (${howFar.percent} %)`}`,
    ...verdict.remedies.map((text) => `do: ${text}`),
    ...verdict.remarks,
    ...(auditRow === null ? [] : [`audit: row ${auditRow.position}, head ${auditRow.hash}`]),
  ];
  for (const cause of causes) {
    const { type, reasons, reasonsInAll } = cause;
    lines.push(
      '',
      `${type}: ${countOf(cause, report.kind === 'run' ? 'document' : 'operator', report.state === 'goes on')}`,
    );
    for (const { text, examples, count } of reasons.slice(0, MAX_REASONS)) {
      const named = examples.map(({ name }) => name).join(', ');
      const more = count > examples.length ? ` and ${grouped(count - examples.length)} more` : '';
      lines.push(`  ${[text, named + more].filter((part) => part !== '').join(': ')}`);
    }
    if (reasonsInAll > MAX_REASONS) lines.push(`  and ${grouped(reasonsInAll - MAX_REASONS)} more reasons`);
  }
  return wrapLines(lines.join('\n'), terminalWidth());
}
