import fc from 'fast-check';
import { csv } from '../../client/cli/csv';
import { approvalPage } from '../../rules/approval-page';

/** As a spreadsheet of a `;` locale splits a line: a quote counts only where a cell begins. */
function cellsOfSemicolonLocale(text: string): string[] {
  const cells: string[] = [];
  for (let at = 0; at < text.length;) {
    const quoted = /^"((?:[^"]|"")*)"?/.exec(text.slice(at));
    const found = quoted ?? /^[^;\n]*/.exec(text.slice(at));
    cells.push((quoted?.[1] ?? found?.[0] ?? '').replaceAll('""', '"'));
    at += found?.[0].length ?? 0;
    // What follows a closed quote up to the separator belongs to the cell.
    const rest = /^[^;\n]*[;\n]?/.exec(text.slice(at))?.[0] ?? '';
    at += Math.max(rest.length, 1);
  }
  return cells;
}

test('70: no cell is a formula where `;` separates, whatever machines are called', () => {
  const piece = fc.constantFrom('a', '=', '+', '-', '@', ';', ',', '"', '\n', '\r', '\t', ' ', '＝', "'");
  const name = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 3 }), (names) => {
      const text = csv([names]);
      const formulas = cellsOfSemicolonLocale(text).filter((cell) => /^[\s"]*[=+\-@＝]/.test(cell));
      expect(formulas).toEqual([]);
    }),
  );
  expect(csv([['m1;=HYPERLINK("https://evil.example")']])).toBe(
    `"m1;'=HYPERLINK(""https://evil.example"")"\r\n`,
  );
});

test('70: the address of an approval page shows the host that is opened, and nothing in front of it', () => {
  expect(approvalPage('https://bunker.example@evil.example/approve?id=1')).toBe(
    'https://evil.example/approve?id=1',
  );
  expect(approvalPage('https://bunker.example:pw@evil.example:8443')).toBe('https://evil.example:8443/');
  // A look-alike host is shown as what it is (IDNA).
  expect(approvalPage('https://bunk\u0435r.example/')).toBe('https://xn--bunkr-2we.example/');
  expect(approvalPage('javascript:alert(1)')).toBeUndefined();
  expect(approvalPage('data:text/html,x')).toBeUndefined();
});
