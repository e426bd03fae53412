import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import type { ControlRequest, Intervention } from '../../contract/control';
import { FLEET_UPDATES, type FleetControlResult, type FleetUpdateName } from '../../contract/fleet';
import { handleUpdates } from '../updates';
import { requestCancellation } from './activities';

/** What a fleet does when somebody speaks to it. */
export interface ControlledFleet {
  /** A sentence that says why nothing can be done any more or yet; undefined while it can. */
  refusal(name: FleetUpdateName): string | undefined;
  /** Tells the runs that go on; resolves with how many have taken it. */
  tell(name: FleetUpdateName, request: ControlRequest): Promise<number>;
  /** Something that is shown has changed. */
  onChange(): void;
}

/** The updates of a fleet, and what people have asked of it. */
export class FleetControl {
  paused: Intervention | undefined;
  /** From here on no operator is begun. */
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

  /** Resolves when no update is in work any more. */
  async untilIdle(): Promise<void> {
    if (!allHandlersFinished()) await condition(allHandlersFinished);
  }

  async #perform(name: FleetUpdateName, asked: Intervention): Promise<FleetControlResult> {
    if (name === 'pause') this.paused ??= asked;
    else if (name === 'resume') this.paused = undefined;
    else this.cancelAsked = true;
    this.fleet.onChange();
    try {
      // The runs are told before they are cancelled: so their own audits contain who asked, and why.
      return { operators: await this.fleet.tell(name, asked) };
    } finally {
      if (name === 'cancel') await CancellationScope.nonCancellable(() => requestCancellation());
    }
  }
}
