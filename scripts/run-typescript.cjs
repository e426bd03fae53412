// node scripts/run-typescript.cjs FILE.ts [ARGUMENTS]: runs TypeScript of this project as it is, for programs that are not built.
const path = require('node:path');
const { transformFileSync } = require('@swc/core');

const options = {
  swcrc: false,
  jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  module: { type: 'commonjs', ignoreDynamic: true },
};
require.extensions['.ts'] = (module, file) => module._compile(transformFileSync(file, options).code, file);
process.argv.splice(1, 1);
require(path.resolve(process.argv[1]));
