import { type DevOperator, startMachines, startOperator, startSpareBunker } from './operator';
import type { DevBunker } from './bunker';
import { type DevStack, startStack } from './stack';
import { isTrouble, keepWorker } from '../embedded/keep-worker';
import { runningWords, untilToldToStop } from '../embedded/told-to-stop';
import { startWorkerProcess } from '../embedded/worker-process';

export interface DevOptions {
  operators: number;
  machines: number;
  /** Print one JSON object on stdout instead of lines for a shell. */
  json: boolean;
  /** Shows a message. */
  say(text: string): void;
  /** A command of this program as the person can type it. */
  commandLine(name: string, operator: string): string;
}

/** Each simulated machine has a connection. Further machines are only rows in the database. */
const MAX_SIMULATED_MACHINES = 100;

/** Runs the dev stack until SIGINT or SIGTERM, then stops it. */
export async function runDev(options: DevOptions): Promise<void> {
  const { say } = options;
  const ended = untilToldToStop();
  say('starting Temporal, Postgres and a relay');
  const stack = await startStack({ onStep: say });
  try {
    const operators: DevOperator[] = [];
    for (let number = 1; number <= options.operators; number += 1) {
      operators.push(await startOperator(stack, `operator-${number}`, options.machines));
    }
    const spare = operators[0] && (await startSpareBunker(stack, operators[0]));
    await simulateMachines(stack, operators, say);
    const workers = await keepWorker(
      () => startWorkerProcess(stack.env, (line) => isTrouble(line) && say(`worker: ${line}`)),
      say,
    );
    stack.onStop(() => workers.stop());
    if (options.json) printJson(stack, operators);
    else printForShell(stack, operators, spare, options.commandLine);
    say(`\n${runningWords()}`);
    await Promise.race([ended.signal, workers.failed]);
    say('\nstopping');
  } finally {
    await stack.stop();
    ended.forget();
  }
}

async function simulateMachines(
  stack: DevStack,
  operators: DevOperator[],
  say: (text: string) => void,
): Promise<void> {
  let left = MAX_SIMULATED_MACHINES;
  let simulated = 0;
  for (const { machines, bunker } of operators) {
    const some = machines.slice(0, left);
    left -= some.length;
    simulated += some.length;
    await startMachines(stack, some, bunker.userPubkey, (machine, { documentType, eventId, state }) =>
      say(
        `${machine.id} (${machine.name}) reads ${documentType} ${eventId.slice(0, 8)}: ` +
          JSON.stringify(state),
      ),
    );
  }
  const all = operators.reduce((sum, { machines }) => sum + machines.length, 0);
  if (simulated < all)
    say(`${simulated} of ${all} machines are simulated; the others are rows in the database`);
}

function printForShell(
  stack: DevStack,
  operators: DevOperator[],
  spare: DevBunker | undefined,
  commandLine: DevOptions['commandLine'],
): void {
  const lines = [
    `# Temporal UI: ${stack.temporal.uiUrl}`,
    ...operators
      .slice(0, 20)
      .map(
        ({ id, bunker, machines }) => `# ${id}: ${machines.length} machines, signs as ${bunker.userPubkey}`,
      ),
    ...(operators.length > 20 ? [`# and ${operators.length - 20} more operators`] : []),
    '# In another shell:',
    ...Object.entries(stack.env).map(([name, value]) => `export ${name}='${value}'`),
    ...(operators[0] ? [`# then: ${commandLine('start', operators[0].id)} --json`] : []),
    ...(operators[0] && spare
      ? [
          '# pair again with this, once: ' +
            `echo '${spare.uri()}' | ${commandLine('signer add', operators[0].id)} --bunker`,
        ]
      : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function printJson(stack: DevStack, operators: DevOperator[]): void {
  const described = operators.map(({ id, bunker, machines }) => ({
    id,
    pubkey: bunker.userPubkey,
    bunkerPubkey: bunker.signerPubkey,
    machines: machines.map(({ id: machineId, name, atmPubkey }) => ({ id: machineId, name, atmPubkey })),
  }));
  process.stdout.write(
    `${JSON.stringify({ env: stack.env, temporalUi: stack.temporal.uiUrl, operators: described })}\n`,
  );
}
