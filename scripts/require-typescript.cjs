const { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const CACHE = path.join(__dirname, '../node_modules/.cache/republish-typescript');

/**
 * Makes `require` compile the TypeScript of this project. The results are cached on disk: the tests start
 * dozens of processes, and each would compile the same two hundred files.
 *
 * @param {{ ignoreDynamic?: boolean }} module ignoreDynamic: `import()` is not compiled to `require`
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
    // Loaded here, because the compiler is not needed when every file is in the cache.
    const { code } = require('@swc/core').transformFileSync(file, {
      swcrc: false,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs', ignoreDynamic },
    });
    // Written under another name and renamed: other processes read the cache at the same time.
    writeFileSync(`${kept}.${process.pid}`, code);
    renameSync(`${kept}.${process.pid}`, kept);
    return code;
  }
}
