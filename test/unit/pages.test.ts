import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '../..');
const GENERATED = 'docs/errors.md';
const DOCS = readdirSync(path.join(ROOT, 'docs'))
  .filter((file) => file.endsWith('.md'))
  .map((file) => `docs/${file}`);
const PAGES = ['README.md', 'CHANGELOG.md', ...DOCS];

const read = (page: string): string => readFileSync(path.join(ROOT, page), 'utf8');
const withoutCode = (text: string): string => text.replaceAll(/```[^]*?```/g, '');

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (page: string): string[] =>
  [...withoutCode(read(page)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

interface Link {
  page: string;
  file: string;
  anchor: string | undefined;
}

const linksOf = (page: string): Link[] =>
  [...withoutCode(read(page)).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, target = '']) => {
    const [file = '', anchor] = target.split('#');
    return { page, file: file === '' ? page : path.join(path.dirname(page), file), anchor };
  });

describe('README.md and docs/', () => {
  test('lead with every link to a file that is there, and to a heading of it', () => {
    const links = PAGES.flatMap(linksOf);
    expect(links.length).toBeGreaterThan(50);
    expect(links.filter(({ file }) => !existsSync(path.join(ROOT, file)))).toEqual([]);
    const toHeadings = links.filter(({ file, anchor }) => anchor !== undefined && file.endsWith('.md'));
    expect(toHeadings.filter(({ file, anchor = '' }) => !anchorsOf(file).includes(anchor))).toEqual([]);
  });

  test('name files and folders of the source that are there', () => {
    const named = DOCS.filter((page) => page !== GENERATED).flatMap((page) =>
      [...withoutCode(read(page)).matchAll(/`([a-z]+\/[\w./-]*)`/g)].map(([, file = '']) => ({ page, file })),
    );
    const ofSource = named.filter(({ file }) => existsSync(path.join(ROOT, file.split('/')[0] ?? '')));
    expect(ofSource.length).toBeGreaterThan(100);
    expect(ofSource.filter(({ file }) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  });

  test('name every page in the README', () => {
    const named = linksOf('README.md').map(({ file }) => file);
    expect(DOCS.filter((page) => !named.includes(page))).toEqual([]);
  });

  test.each(PAGES.filter((page) => page !== GENERATED))('%s begins with whom it is for', (page) => {
    const [, paragraph] = read(page).split('\n\n');
    expect(paragraph).toMatch(/^For /);
  });

  test('keep the README within one sitting', () => {
    expect(read('README.md').split('\n').length).toBeLessThan(200);
  });

  test.each(PAGES.filter((page) => page !== GENERATED))(
    '%s has no line of prose over the print width',
    (page) => {
      // Tables and pictures cannot be broken; an inline command is not.
      const prose = withoutCode(read(page))
        .split('\n')
        .filter((line) => !/^(\||<img|`)/.test(line));
      expect(prose.filter((line) => line.length > 110)).toEqual([]);
    },
  );
});
