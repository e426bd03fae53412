/**
 * The style of a report: on a desktop, on a phone, in dark mode and on paper. A colour always comes with a
 * sign and a word. Every text has a contrast of at least 4.5 (WCAG AA).
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --wash: #f6f7f8; --ink: #16191d; --soft: #565d67; --line: #dfe2e6; --strong: #b9bec6;
  --good: #15663a; --bad: #a8201a; --warning: #855200; --calm: #1d5a96; --none: #565d67;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #121417; --wash: #1a1d21; --ink: #e7e9ec; --soft: #a5acb6; --line: #2b2f35; --strong: #4a515a;
    --good: #6fce98; --bad: #ff9389; --warning: #f0bd62; --calm: #8dbcf2; --none: #a5acb6;
  }
}
* { box-sizing: border-box; }
html { background: var(--paper); -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 66rem; color: var(--ink); background: var(--paper);
  font: 400 0.9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Open Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0.25rem 2rem; color: var(--soft);
  font-size: 0.8125rem; padding-bottom: 0.75rem; border-bottom: 2px solid var(--ink); }
header p, h1, h2, h3, dl, dd, ol, ul { margin: 0; }
header b { color: var(--ink); letter-spacing: 0.01em; }
section { margin-top: 2.5rem; }
h1 { font-size: 1.625rem; line-height: 1.3; font-weight: 600; letter-spacing: -0.011em; text-wrap: balance; }
h1 + p { margin: 0.5rem 0 0; }
h2 { font-size: 0.8125rem; font-weight: 600; text-transform: uppercase; letter-spacing: 0.07em; color: var(--soft);
  padding-bottom: 0.375rem; border-bottom: 1px solid var(--strong); }
h3 { font-size: 1rem; font-weight: 600; }
h3 small { font-weight: 400; }
.who { margin: 0 0 0.25rem; color: var(--soft); }
small, .soft { color: var(--soft); font-size: 0.8125rem; }
a { color: inherit; text-decoration-color: var(--strong); text-underline-offset: 0.15em; }
a:hover { text-decoration-color: currentColor; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.875em; }
code.id, .e { -webkit-user-select: all; user-select: all; overflow-wrap: anywhere; }
.cut, .e { display: inline-block; max-width: 11ch; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  vertical-align: bottom; }
.good { color: var(--good); } .bad { color: var(--bad); } .warning { color: var(--warning); }
.calm { color: var(--calm); } .none { color: var(--none); }
.bar { display: block; width: 100%; height: 0.5rem; margin-top: 1.25rem; }
.bar { background: var(--line); } .bar rect { fill: currentColor; } .bar .calm { fill: none; } .bar .none { fill: var(--strong); }
.counts { display: flex; flex-wrap: wrap; gap: 0.125rem 1.25rem; margin-top: 0.5rem; padding: 0; list-style: none; font-size: 0.875rem; }
.todo { margin-top: 1.5rem; padding: 0.875rem 1.125rem; background: var(--wash); border-left: 3px solid currentColor; }
.todo > * { color: var(--ink); }
.todo h2 { border: 0; padding: 0 0 0.25rem; color: inherit; }
.todo ol { padding-left: 1.25rem; } .todo ul { padding: 0; list-style: none; } .todo li + li { margin-top: 0.375rem; }
.remarks { margin-top: 1rem; padding-left: 1.125rem; color: var(--soft); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 3rem; }
.pair > section { min-width: 0; }
dl { display: grid; grid-template-columns: 9.5rem minmax(0, 1fr); }
dt, dd { padding: 0.4375rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--soft); padding-right: 1rem; }
table { width: 100%; overflow-wrap: break-word; border-collapse: collapse; font-size: 0.875rem; }
th, td { text-align: left; vertical-align: top; padding: 0.4375rem 1rem 0.4375rem 0; border-bottom: 1px solid var(--line); font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: 0.8125rem; }
td.n, th.n { text-align: right; white-space: nowrap; }
tfoot th, tfoot td { font-weight: 600; border-bottom: 0; }
.scroll { overflow-x: auto; } .scroll time, .scroll td:first-child { white-space: nowrap; }
.cause { padding: 1rem 0; border-bottom: 1px solid var(--line); }
.cause p { margin: 0.25rem 0 0; } .cause ul { margin-top: 0.5rem; padding-left: 1.125rem; }
.cause li { margin-top: 0.25rem; }
.grid { table-layout: fixed; overflow-wrap: anywhere; } .grid b { font-weight: 600; } .grid th b { display: block; }
.grid i { display: none; font-style: normal; color: var(--soft); }
.grid p { margin: 0.125rem 0 0; color: var(--soft); font-size: 0.8125rem; }
.grid time, .grid small, .e { color: var(--soft); white-space: nowrap; }
summary { cursor: pointer; padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
summary:focus-visible, a:focus-visible { outline: 2px solid var(--calm); outline-offset: 2px; }
details details { margin-left: 1.125rem; }
details.more { margin: 0; } details.more summary { padding: 0; border: 0; color: var(--soft); font-size: 0.8125rem; }
details.more dl { grid-template-columns: 5rem minmax(0, 1fr); font-size: 0.8125rem; margin-top: 0.25rem; }
details.more dt, details.more dd { padding: 0.1875rem 0; border: 0; }
.signs { display: flex; flex-wrap: wrap; gap: 0.125rem 1.25rem; margin: 0.75rem 0 0.25rem; padding: 0; list-style: none;
  color: var(--soft); font-size: 0.8125rem; }
footer { margin-top: 3rem; padding-top: 0.75rem; border-top: 1px solid var(--strong); color: var(--soft); font-size: 0.8125rem; }
footer p { margin: 0.25rem 0 0; }
:target { background: var(--wash); }
@media (max-width: 44rem) {
  body { padding: 1.25rem 1rem 3rem; font-size: 0.9375rem; }
  h1 { font-size: 1.3125rem; }
  section { margin-top: 2rem; }
  .pair { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dl { grid-template-columns: 7rem minmax(0, 1fr); }
  .grid, .grid tbody, .grid tr, .grid th, .grid td { display: block; padding-right: 0; }
  .grid thead { display: none; } .grid i { display: block; font-size: 0.8125rem; }
  .grid tr { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  .grid th, .grid td { border: 0; padding: 0.25rem 0; }
  details details { margin-left: 0.5rem; }
  .scroll time, .scroll td:first-child { white-space: normal; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --wash: #fff; --ink: #000; --soft: #333; --line: #999; --strong: #333;
    --good: #000; --bad: #000; --warning: #000; --calm: #000; --none: #333; }
  @page { margin: 16mm 14mm 18mm; @bottom-right { content: "page " counter(page) " of " counter(pages); font: 8pt sans-serif; } }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  section { margin-top: 1.5rem; }
  h2, h3, summary { break-after: avoid; } tr, dl > *, .cause, .todo { break-inside: avoid; }
  thead { display: table-header-group; }
  .cut, .e { display: inline; white-space: normal; overflow-wrap: anywhere; }
  .todo { border: 1px solid #000; border-left-width: 3px; }
  .bar { border: 1px solid #000; background: none; }
  .bar .good { fill: #000; } .bar .bad, .bar .warning { fill: #999; } .bar .none { fill: #ddd; }
  details.more summary { list-style: none; }
  details:not(.more):not([open]) > summary::after { content: " (closed: not printed)"; color: #333; }
}
`;
