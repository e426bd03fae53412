/**
 * Runs commands of the built command line one after the other, as `node dist/client/cli/main.js` does. The
 * packages, which cost the CPU, are loaded once. Our own modules are loaded again for each command. A command
 * has ended when nothing is left to do in this process: a handle that it leaves open hangs here too.
 *
 * A message `{ args, env }` starts a command. The answer is written to descriptor 4, synchronously, because a
 * command may call `process.exit`, which ends this process.
 */
const { writeSync } = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

const BUILT = path.resolve(__dirname, '../../dist');
const COMMAND_LINE = path.join(BUILT, 'client/cli/main.js');
const ANSWERS = 4;
/** Events whose listeners belong to the command. Packages keep listeners for other events. */
const LISTENED_TO = ['SIGINT', 'SIGTERM', 'SIGHUP', 'warning'];

/** The output of the current command. */
let written;

for (const name of ['stdout', 'stderr']) {
  process[name].write = (chunk, encoding, done = encoding) => {
    if (written !== undefined) written[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk);
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
}

function answer(code) {
  if (written === undefined) return;
  writeSync(ANSWERS, `${JSON.stringify({ code, ...written })}\n`);
  written = undefined;
}

process.on('message', ({ args, env }) => {
  written = { stdout: '', stderr: '' };
  process.exitCode = undefined;
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name];
  Object.assign(process.env, env);
  process.argv = [process.execPath, COMMAND_LINE, ...args];
  for (const file of Object.keys(require.cache)) if (file.startsWith(BUILT)) delete require.cache[file];
  // From here on only the command keeps this process busy.
  process.channel.unref();
  Module._load(COMMAND_LINE, null, true);
});

process.on('beforeExit', () => {
  for (const name of LISTENED_TO) process.removeAllListeners(name);
  process.stdout.removeAllListeners('error');
  process.channel.ref();
  answer(process.exitCode ?? 0);
});
process.on('exit', (code) => answer(code));
process.on('disconnect', () => process.exit());
