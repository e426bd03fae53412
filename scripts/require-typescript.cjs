const { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const CACHE = path.join(__dirname, '../node_modules/.cache/republish-typescript');

/**
 * Makes `require` read TypeScript of this project as it is. What has been compiled once is kept: the tests
 * start dozens of processes that would each compile the same two hundred files.
 *
 * @param {{ ignoreDynamic?: boolean }} module what becomes of `import()`: true leaves it to Node
 */
exports.requireTypeScript = function requireTypeScript({ ignoreDynamic = false } = {}) {
  mkdirSync(CACHE, { recursive: true });
  require.extensions['.ts'] = (module, file) => module._compile(compiled(file, ignoreDynamic), file);
};

function compiled(file, ignoreDynamic) {
  const { size, mtimeMs } = statSync(file);
  const name = `${path.relative(path.dirname(__dirname), file)} ${size} ${mtimeMs} ${ignoreDynamic}`;
  const kept = path.join(CACHE, encodeURIComponent(name));
  try {
    return readFileSync(kept, 'utf8');
  } catch {
    // Loaded here: where all is kept, the compiler is not needed.
    const { code } = require('@swc/core').transformFileSync(file, {
      swcrc: false,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs', ignoreDynamic },
    });
    // Under another name first: others read it meanwhile.
    writeFileSync(`${kept}.${process.pid}`, code);
    renameSync(`${kept}.${process.pid}`, kept);
    return code;
  }
}
