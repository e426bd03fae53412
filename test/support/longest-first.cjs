const { statSync } = require('node:fs');
const path = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

/** By how long their tests take, about: on a fresh machine jest knows no times yet, and a long file at the end would run alone. */
const KINDS = ['faults', 'integration', 'replay', 'unit'];

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path: file }) => KINDS.indexOf(path.basename(path.dirname(file)));
    const size = ({ path: file }) => statSync(file).size;
    return [...tests].sort((a, b) => rank(a) - rank(b) || size(b) - size(a));
  }
};
