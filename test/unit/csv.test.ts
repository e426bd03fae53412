import { csv } from '../../client/cli/csv';

test('lines of RFC 4180', () => {
  expect(csv([['a', 'b, c', 'say "d"', 'two\nlines', '']])).toBe('a,"b, c","say ""d""","two\nlines",\r\n');
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '＝1+1'])(
  'what a spreadsheet would take for a formula is text: %j',
  (name) => {
    expect(csv([[name]])).toMatch(/^"?'/);
  },
);

test('the formula of a machine name is quoted whole', () => {
  expect(csv([['=HYPERLINK("https://evil.example","open")']])).toBe(
    `"'=HYPERLINK(""https://evil.example"",""open"")"\r\n`,
  );
});

test('what would steer a terminal is shown as a mark', () => {
  expect(csv([['a\u001b[2Jb\u009bc\rd\u202e']])).toBe('a\ufffd[2Jb\ufffdc\ufffdd\ufffd\r\n');
});
