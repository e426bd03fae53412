import { CancellationScope } from '@temporalio/workflow';
import type { ControlRequest } from '../../contract/control';
import type { FleetUpdateName } from '../../contract/fleet';
import type { OperatorRun } from '../../contract/fleet-activities';
import { speakToRuns } from './activity-calls';

export interface InWork {
  /** Absent until it has begun, and where it is somebody else's run that is waited for. */
  run?: OperatorRun;
  /** A run is being started. */
  starting?: boolean;
  /** How it ended is counted, and being written down. */
  ended?: true;
  /** Begun by an earlier execution, and so no child of this one. */
  adopted?: true;
  /** By the fleet, and not by somebody who paused only this operator. */
  paused: boolean;
}

/** The operators whose turn it is, and what their runs are told. */
export class RunsInWork {
  #inWork = new Map<string, InWork>();
  #telling: Promise<unknown> = Promise.resolve();

  get size(): number {
    return this.#inWork.size;
  }

  get operators(): string[] {
    return [...this.#inWork.keys()];
  }

  get all(): InWork[] {
    return [...this.#inWork.values()];
  }

  add(operatorUserId: string, inWork: InWork): void {
    this.#inWork.set(operatorUserId, inWork);
  }

  delete(operatorUserId: string): void {
    this.#inWork.delete(operatorUserId);
  }

  /** Operators whose own run waits for the end of somebody else's. */
  get withoutRun(): string[] {
    return [...this.#inWork].flatMap(([operator, { run }]) => (run === undefined ? [operator] : []));
  }

  /**
   * Tells the runs that `selects` chooses at the time when it is their turn: a resume must not overtake the
   * pause before it.
   *
   * @returns how many have taken it
   */
  control(
    action: FleetUpdateName,
    { by, reason }: ControlRequest,
    selects: (inWork: InWork) => boolean = () => true,
  ): Promise<number> {
    const turn = this.#telling.then(async () => {
      const runs = this.all.flatMap((inWork) => (inWork.run && selects(inWork) ? [inWork.run] : []));
      if (runs.length === 0) return 0;
      const said = { ...(by == null ? {} : { by }), ...(reason == null ? {} : { reason }) };
      const { taken } = await CancellationScope.nonCancellable(() => speakToRuns({ action, runs, ...said }));
      for (const operatorUserId of taken) {
        const inWork = this.#inWork.get(operatorUserId);
        if (inWork !== undefined) inWork.paused = action === 'pause';
      }
      return taken.length;
    });
    this.#telling = turn.catch(() => undefined);
    return turn;
  }
}
