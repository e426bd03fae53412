import { parsedUrl } from '../../rules/url';

test('a text with letters beyond ASCII is a URL, also when it was asked for often', () => {
  const asked = Array.from({ length: 200_000 }, (_, index) =>
    parsedUrl(`https://bücher.example/${index % 7}`),
  );
  expect(asked.filter((url) => url?.hostname !== 'xn--bcher-kva.example')).toEqual([]);
});

test.each(['', 'bunker.example', 'https://', 'http://a b'])('%j is none', (text) =>
  expect(parsedUrl(text)).toBeUndefined(),
);
