import { CancellationScope } from '@temporalio/workflow';
import type { ControlRequest } from '../../contract/control';
import type { FleetUpdateName } from '../../contract/fleet';
import type { OperatorRun } from '../../contract/fleet-activities';
import { speakToRuns } from './activity-calls';

export interface InWork {
  /** Absent until it has begun, and while the operator waits for the end of another run. */
  run?: OperatorRun;
  /** Temporal is starting the run. */
  starting?: boolean;
  /** Its end is counted, and is being recorded. */
  ended?: true;
  /** An earlier execution began it, so it is no child of this one. */
  adopted?: true;
  /** The fleet paused it. A person who pauses only this run does not set it. */
  paused: boolean;
}

/** The operators in work, and the controls of their runs. */
export class RunsInWork {
  #inWork = new Map<string, InWork>();
  #lastControl: Promise<unknown> = Promise.resolve();

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

  /** Operators whose own run waits for the end of another run. */
  get withoutRun(): string[] {
    return [...this.#inWork].flatMap(([operator, { run }]) => (run === undefined ? [operator] : []));
  }

  /**
   * Controls runs, one control after the other: a resume must not overtake the pause before it. `selects` is
   * asked when the earlier controls are done.
   *
   * @returns the number of runs that took it
   */
  control(
    action: FleetUpdateName,
    { by, reason }: ControlRequest,
    selects: (inWork: InWork) => boolean = () => true,
  ): Promise<number> {
    const control = this.#lastControl.then(async () => {
      const runs = this.all.flatMap((inWork) => (inWork.run && selects(inWork) ? [inWork.run] : []));
      if (runs.length === 0) return 0;
      const who = { ...(by == null ? {} : { by }), ...(reason == null ? {} : { reason }) };
      const { taken } = await CancellationScope.nonCancellable(() => speakToRuns({ action, runs, ...who }));
      for (const operatorUserId of taken) {
        const inWork = this.#inWork.get(operatorUserId);
        if (inWork !== undefined) inWork.paused = action === 'pause';
      }
      return taken.length;
    });
    this.#lastControl = control.catch(() => undefined);
    return control;
  }
}
