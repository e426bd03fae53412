import { CancellationScope } from '@temporalio/workflow';
import type { ControlRequest } from '../../contract/control';
import type { FleetControlResult, FleetUpdateName } from '../../contract/fleet';
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
  /** The fleet paused it, or may have. A person who pauses only this run does not set it. */
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
   * @returns the number of runs that took it, and which did not answer
   */
  control(
    action: FleetUpdateName,
    { by, reason }: ControlRequest,
    selects: (inWork: InWork) => boolean = () => true,
  ): Promise<FleetControlResult> {
    const control = this.#lastControl.then(async () => {
      const asked = this.all.filter((inWork) => inWork.run !== undefined && selects(inWork));
      if (asked.length === 0) return { operators: 0 };
      const runs = asked.flatMap(({ run }) => run ?? []);
      const who = { ...(by == null ? {} : { by }), ...(reason == null ? {} : { reason }) };
      // Until it is known: a run that is paused and not known to be would never be resumed.
      if (action === 'pause') for (const inWork of asked) inWork.paused = true;
      const { taken, unanswered } = await CancellationScope.nonCancellable(() =>
        speakToRuns({ action, runs, ...who }),
      );
      const has = (list: string[], { run }: InWork): boolean => list.includes(run?.operatorUserId ?? '');
      for (const inWork of asked) {
        if (action === 'pause') inWork.paused = has([...taken, ...unanswered], inWork);
        else if (has(taken, inWork)) inWork.paused = false;
      }
      return { operators: taken.length, ...(unanswered.length === 0 ? {} : { unanswered }) };
    });
    this.#lastControl = control.catch(() => undefined);
    return control;
  }
}
