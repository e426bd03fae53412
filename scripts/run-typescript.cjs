// node scripts/run-typescript.cjs FILE.ts [ARGUMENTS]: runs TypeScript of this project as it is, for programs
// that are not built.
const path = require('node:path');
const { requireTypeScript } = require('./require-typescript.cjs');

requireTypeScript({ ignoreDynamic: true });
process.argv.splice(1, 1);
require(path.resolve(process.argv[1]));
