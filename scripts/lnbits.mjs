// npm run test:lnbits: a migration next to a running LNbits, on SQLite and on Postgres. It installs LNbits
// from PyPI into a cache folder. If that fails, it prints that nothing was tested and exits with 1.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runJest } from './run-jest.mjs';

const LNBITS = '1.6.2';
const PYTHONS = ['python3.12', 'python3.11', 'python3.10', 'python3'];
const folder = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  `../node_modules/.cache/republish/lnbits-${LNBITS}`,
);

try {
  const executable = installed();
  runJest(['--runInBand', '--testMatch', '**/test/lnbits/migration.ts', ...process.argv.slice(2)], {
    ...process.env,
    REPUBLISH_TEST_LNBITS: executable,
  });
} catch (thrown) {
  const said = thrown.stderr?.toString().trim().split('\n').slice(-10).join('\n');
  console.error(`test:lnbits did not run, nothing was tested: ${said || thrown.message}`);
  process.exitCode = 1;
}

function installed() {
  const executable = path.join(folder, 'bin/lnbits');
  const finished = path.join(folder, 'installed');
  if (existsSync(finished)) return executable;
  const python = PYTHONS.find(fits);
  if (python === undefined) throw new Error('LNbits needs Python 3.10, 3.11 or 3.12, and there is none');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.dirname(folder), { recursive: true });
  console.error(`installing LNbits ${LNBITS} with ${python}: this takes a minute or two`);
  run(python, ['-m', 'venv', folder]);
  // LNbits 1.6.2 imports names that bitstring 5 does not have.
  run(path.join(folder, 'bin/pip'), ['install', '--quiet', `lnbits==${LNBITS}`, 'bitstring<5']);
  writeFileSync(finished, '');
  return executable;
}

function fits(python) {
  try {
    return /^3\.1[0-2]$/.test(
      run(python, ['-c', 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")']).trim(),
    );
  } catch {
    return false;
  }
}

function run(command, args) {
  return execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 15 * 60_000,
  });
}
