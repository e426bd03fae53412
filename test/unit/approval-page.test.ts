import fc from 'fast-check';
import { approvalPage } from '../../rules/approval-page';
import { withLastWords } from '../../rules/last-words';

describe('approvalPage', () => {
  it.each([
    ['https://bunker.example.com/approve?id=1', 'https://bunker.example.com/approve?id=1'],
    ['http://127.0.0.1:3000/', 'http://127.0.0.1:3000/'],
    // A browser opens evil.example.
    ['https://bank.example@evil.example/', 'https://evil.example/'],
    ['https://user:word@bunker.example/', 'https://bunker.example/'],
    ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
    ['https://bunker.example/\u001b[2J', 'https://bunker.example/%1B[2J'],
  ])('shows %j as %j', (text, shown) => expect(approvalPage(text)).toBe(shown));

  it.each([
    ['javascript:alert(1)'],
    ['file:///etc/passwd'],
    ['approve me'],
    [''],
    [`https://x/${'a'.repeat(2_000)}`],
  ])('shows nothing of %j', (text) => expect(approvalPage(text)).toBeUndefined());

  it('never shows what steers a terminal, and what it shows once it shows again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), fc.string({ unit: 'binary' })), (text) => {
        const shown = approvalPage(`https://bunker.example/${text}`);
        if (shown === undefined) return;
        expect(shown).toMatch(/^[\u0021-\u007e]+$/);
        expect(approvalPage(shown)).toBe(shown);
      }),
    );
  });
});

test('a relay’s last words stand behind a failure that knows no reason', () => {
  expect(withLastWords('no answer', 'blocked: no')).toBe("no answer; the relay's last words: blocked: no");
  expect(withLastWords('no answer', '')).toBe('no answer');
  expect(withLastWords('no answer', undefined)).toBe('no answer');
});
