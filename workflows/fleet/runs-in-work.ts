import type { ControlRequest } from '../../contract/control';
import type { FleetControlResult, FleetUpdateName } from '../../contract/fleet';
import type { OperatorRun, SpeakToRunsInput, SpeakToRunsResult } from '../../contract/fleet-activities';

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
  #openControls = 0;

  /** @param speakToRuns sends a control to runs, also when the fleet is cancelled */
  constructor(private readonly speakToRuns: (input: SpeakToRunsInput) => Promise<SpeakToRunsResult>) {}

  /** No control is in work. */
  get isIdle(): boolean {
    return this.#openControls === 0;
  }

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

  /** Operators without a run: it has not begun, or waits for the end of another run. */
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
    this.#openControls += 1;
    const control = this.#lastControl.then(async () => {
      const asked = this.all.filter((inWork) => inWork.run !== undefined && selects(inWork));
      if (asked.length === 0) return { operators: 0 };
      const runs = asked.flatMap(({ run }) => run ?? []);
      const who = { ...(by == null ? {} : { by }), ...(reason == null ? {} : { reason }) };
      const pausedBefore = asked.filter(({ paused }) => paused);
      // Set before the answer comes. If the answer is lost, a paused run would otherwise never be resumed.
      if (action === 'pause') for (const inWork of asked) inWork.paused = true;
      const { taken, unanswered } = await this.speakToRuns({ action, runs, ...who });
      const isIn = (list: string[], { run }: InWork): boolean => list.includes(run?.operatorUserId ?? '');
      for (const inWork of asked) {
        const hasRefused = !isIn([...taken, ...unanswered], inWork);
        // A run that refuses a pause is paused already (by the fleet or by a person), or it is ending.
        if (action === 'pause' && hasRefused) inWork.paused = pausedBefore.includes(inWork);
        // A run that takes the resume, or refuses it, is not paused any more.
        else if (action === 'resume' && !isIn(unanswered, inWork)) inWork.paused = false;
      }
      return { operators: taken.length, ...(unanswered.length === 0 ? {} : { unanswered }) };
    });
    this.#lastControl = control
      .catch(() => undefined)
      .finally(() => {
        this.#openControls -= 1;
      });
    return control;
  }
}
