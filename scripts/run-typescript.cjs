// node scripts/run-typescript.cjs FILE.ts [ARGUMENTS]: runs a TypeScript program of this project that is not
// in dist/.
const path = require('node:path');
const { requireTypeScript } = require('./require-typescript.cjs');

requireTypeScript({ ignoreDynamic: true });
process.argv.splice(1, 1);
require(path.resolve(process.argv[1]));
