const { readFileSync } = require('node:fs');
const path = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

const KINDS = ['faults', 'integration', 'replay', 'unit'];

/** The longest time that a file gives one of its tests, as in `}, 600_000);`: in milliseconds. */
function longestBoundMs(text) {
  const bounds = [...text.matchAll(/\}, (\d[\d_]*)\);/g)].map(([, bound]) =>
    Number(bound.replaceAll('_', '')),
  );
  return Math.max(0, ...bounds);
}

/**
 * By how long their tests take, about: on a fresh machine jest knows no times yet, and a long file at the end
 * would run alone.
 */
module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const known = new Map(
      tests.map(({ path: file }) => {
        const text = readFileSync(file, 'utf8');
        return [
          file,
          {
            rank: KINDS.indexOf(path.basename(path.dirname(file))),
            boundMs: longestBoundMs(text),
            size: text.length,
          },
        ];
      }),
    );
    return [...tests].sort((one, other) => {
      const [a, b] = [known.get(one.path), known.get(other.path)];
      return a.rank - b.rank || b.boundMs - a.boundMs || b.size - a.size;
    });
  }
};
