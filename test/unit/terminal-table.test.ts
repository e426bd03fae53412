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
            fittedTable(header, rows, width),
            sectionedTable(header, [{ heading: rows.flat().join(' '), rows }], width),
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
    expect(fittedTable(['id', 'why'], [[long, `${long} ${long}`]], Infinity)).toContain(
      `${long}  ${long} ${long}`,
    );
  });

  test('cut cells keep both ends, and ids their beginning', () => {
    const text = fittedTable(
      ['id', 'why'],
      [[`bitspire-fees:${'0'.repeat(60)}beef`, 'because of '.repeat(9)]],
      80,
    );
    expect(text).toMatch(/bitspire-fees:0+…0+beef/);
    expect(short('1d80ab12'.repeat(8))).toBe('1d80ab12…');
  });
});
