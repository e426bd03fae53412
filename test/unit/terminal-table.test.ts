import fc from 'fast-check';
import { fittedTable, sectionedTable, short, wrapToWidth } from '../../client/cli/terminal/table';
import { widthOf } from '../../client/cli/terminal/text';

const cell = fc.oneof(
  fc.string({ maxLength: 100 }),
  fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', 'é', '💡', '現'), maxLength: 100 }),
);

describe('tables of a terminal', () => {
  test('no line is longer than the terminal is wide, whatever stands in the cells', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell, cell), { maxLength: 10 }),
        fc.integer({ min: 80, max: 200 }),
        (rows, width) => {
          const header = ['one', 'two', 'three', 'four'];
          const tables = [
            fittedTable(header, rows, { width }),
            sectionedTable(header, [{ heading: rows.flat().join(' '), rows }], { width }),
          ];
          for (const line of tables.flatMap((text) => text.split('\n')))
            expect(widthOf(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  test('wrapping loses no word, and breaks words only where they are longer than a line', () => {
    fc.assert(
      fc.property(cell, fc.integer({ min: 5, max: 40 }), (text, width) => {
        const lines = wrapToWidth(text, width);
        expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
      }),
    );
    expect(wrapToWidth('a relay that is away', 12)).toEqual(['a relay that', 'is away']);
  });

  test('what goes to a file is neither cut nor wrapped', () => {
    const long = 'x'.repeat(500);
    expect(fittedTable(['id', 'why'], [[long, `${long} ${long}`]], { width: Infinity })).toContain(
      `${long}  ${long} ${long}`,
    );
  });

  test('nothing is broken within a word, a time or an id while a line has room for it', () => {
    const word = fc.oneof(
      fc.string({
        unit: fc.constantFrom('a', 'é', 'e\u0301', '💡', '現', '-', ':'),
        minLength: 1,
        maxLength: 30,
      }),
      fc.constantFrom(
        '2026-11-27T23:07:02.123Z',
        '3c9e9fa2-6f0d-4f31-9d6b-3f1a26b1a0aa',
        '1d80ab12'.repeat(8),
      ),
    );
    const words = fc.array(word, { maxLength: 6 }).map((all) => all.join(' '));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(words, words, words, words), { maxLength: 5 }),
        fc.constantFrom(80, 200),
        (rows, width) => {
          const header = ['machine', 'started', 'event', 'what is to be said of it'];
          const shown = fittedTable(header, rows, { width }).split(/\s+/);
          for (const each of rows.flat().join(' ').split(' ')) if (each !== '') expect(shown).toContain(each);
        },
      ),
    );
  });

  const HEADER = ['document type', 'outcome', 'event', 'relays'];
  const ROWS = [
    [
      'bitspire-cassettes',
      'published',
      '1d80ab12…',
      'on 2 of 3; wss://relay.example.com: refused (blocked: not on the list)',
    ],
    ['現金の在庫', 'failed', '', 'StateInvalid: fee_percent: must be a number from 0 to 100'],
  ];

  test('at 80 columns sentences are broken between words, and at 200 not at all', () => {
    expect(fittedTable(HEADER, ROWS, { width: 80 })).toBe(
      [
        'document type       outcome    event      relays',
        '------------------  ---------  ---------  --------------------------------------',
        'bitspire-cassettes  published  1d80ab12…  on 2 of 3; wss://relay.example.com:',
        '                                          refused (blocked: not on the list)',
        '現金の在庫          failed                StateInvalid: fee_percent: must be a',
        '                                          number from 0 to 100',
      ].join('\n'),
    );
    expect(fittedTable(HEADER, ROWS, { width: 200 }).split('\n').slice(2)).toEqual([
      'bitspire-cassettes  published  1d80ab12…  on 2 of 3; wss://relay.example.com: refused (blocked: not on the list)',
      '現金の在庫          failed                StateInvalid: fee_percent: must be a number from 0 to 100',
    ]);
  });

  test('columns that have no room beside each other are below each other, each whole', () => {
    const key = '1d80ab12'.repeat(8);
    const rows = [['op-7', 'paired here', 'bunker', key, '2026-11-27', 'wss://relay.example.com']];
    const header = ['operator', 'from', 'kind', 'signs as', 'added', 'relays'];
    expect(fittedTable(header, rows, { width: 80 })).toBe(
      [
        'op-7',
        '  from      paired here',
        '  kind      bunker',
        `  signs as  ${key}`,
        '  added     2026-11-27',
        '  relays    wss://relay.example.com',
      ].join('\n'),
    );
    expect(fittedTable(header, rows, { width: 200 })).toMatch(/^operator  from .*\n--------/);
  });

  test('what strangers wrote in a cell steers no terminal, and a style changes no width', () => {
    const table = fittedTable(['a', 'b'], [['x\u001b[2J', 'y']], {
      width: 80,
      paint: (text, column) => (column === 0 ? `\u001b[31m${text}\u001b[39m` : text),
    });
    expect(table.split('\n').at(-1)).toBe('\u001b[31mx\ufffd[2J\u001b[39m  y');
  });

  test('ids are told apart by their beginning', () => {
    expect(short('1d80ab12'.repeat(8))).toBe('1d80ab12…');
  });
});
