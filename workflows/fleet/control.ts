import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import type { ControlRequest, Intervention } from '../../contract/control';
import { FLEET_UPDATES, type FleetControlResult, type FleetUpdateName } from '../../contract/fleet';
import { requestCancellation } from '../activity-calls';
import { handleUpdates } from '../updates';

/** What a fleet does for its updates. */
export interface ControlledFleet {
  /** Why the update is not possible now, as a sentence; undefined: it is possible. */
  refusal(name: FleetUpdateName): string | undefined;
  /** Controls the runs in work. */
  controlRuns(name: FleetUpdateName, request: ControlRequest): Promise<FleetControlResult>;
  /** Something that is shown has changed. */
  onChange(): void;
}

/** Receives the updates of a fleet, and keeps what follows from them. */
export class FleetControl {
  paused: Intervention | undefined;
  /** True: no further operator begins. */
  cancelAsked = false;
  readonly interventions: Intervention[];

  constructor(
    private readonly fleet: ControlledFleet,
    carried: { paused?: Intervention; interventions: Intervention[] } = { interventions: [] },
  ) {
    this.paused = carried.paused;
    this.interventions = [...carried.interventions];
  }

  /** Call it when the fleet is complete: see `handleUpdates`. */
  listen(): void {
    handleUpdates({
      descriptions: FLEET_UPDATES,
      refusal: (name) => this.fleet.refusal(name),
      perform: (name, asked) => this.#perform(name, asked),
      onChange: () => this.fleet.onChange(),
      interventions: this.interventions,
    });
  }

  /** Resolves when no update is in work. */
  async untilIdle(): Promise<void> {
    if (!allHandlersFinished()) await condition(allHandlersFinished);
  }

  async #perform(name: FleetUpdateName, asked: Intervention): Promise<FleetControlResult> {
    if (name === 'pause') this.paused ??= asked;
    else if (name === 'resume') this.paused = undefined;
    else this.cancelAsked = true;
    this.fleet.onChange();
    try {
      // First the updates to the runs, then the cancellation: so the audits of the runs have who asked, and
      // why.
      return await this.fleet.controlRuns(name, asked);
    } finally {
      if (name === 'cancel') await CancellationScope.nonCancellable(() => requestCancellation());
    }
  }
}
