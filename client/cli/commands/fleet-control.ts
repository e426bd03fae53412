import type { Command } from 'commander';
import type { FleetUpdateName } from '../../../contract/fleet';
import { remedyFor } from '../../../contract/failures';
import { commandLine, completeCommands } from '../command-lines';
import { controlCommand, type ControlOptions, sendControl } from '../send-control';

/** What each command says when the fleet has taken it. */
const DONE: Record<FleetUpdateName, (runs: string) => string> = {
  pause: (runs) => `paused, with ${runs} in work. Go on with: ${commandLine('fleet resume')}`,
  resume: (runs) => `the fleet continues, with ${runs} that it had paused`,
  cancel: (runs) =>
    `cancelled, with ${runs} in work: what is signed is finished, then the audits are written; see: ` +
    commandLine('fleet audit'),
};

/** The commands that control a fleet. */
export function registerFleetControl(fleet: Command): void {
  register(fleet, 'pause', 'begin no further operator, and pause the runs in work');
  register(fleet, 'resume', 'go on with a paused fleet');
  register(fleet, 'cancel', 'end a fleet: cancel the runs in work, begin no other');
}

function register(fleet: Command, name: FleetUpdateName, summary: string): void {
  const words = { summary, workflowId: 'republish-fleet', example: `republish fleet ${name}` };
  controlCommand(fleet, name, words).action((options: ControlOptions) => control(name, options));
}

async function control(name: FleetUpdateName, options: ControlOptions): Promise<void> {
  const { findFleet } = await import('../../index.js');
  await sendControl(async (client) => {
    const fleet = await findFleet(client);
    return {
      handle: fleet,
      send: (request) => fleet[name](request),
      subject: 'fleet',
      counted: 'operators',
      done: (operators) => DONE[name](`${operators} run${operators === 1 ? '' : 's'}`),
      endCommand: commandLine('fleet end'),
      remedyFor: (type) => completeCommands(remedyFor(type, 'fleet'), undefined),
      waitsFor: 'a worker has to take it, and each run in work has 10 s to answer',
    };
  }, options);
}
