import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import type { ControlRequest, Intervention } from '../../contract/control';
import { problemOfControl } from '../../rules/control';
import { FLEET_UPDATES, type FleetControlResult, type FleetUpdateName } from '../../contract/fleet';
import { present } from '../control';
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

/** More than these are counted and not kept: they travel in each continue-as-new. */
const MAX_INTERVENTIONS = 100;

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

  /**
   * To be called when the fleet is whole: an update that came with the first task of an execution is dealt
   * with at once, within this call.
   */
  listen(): void {
    this.#handle('pause', (intervention) => {
      this.paused ??= intervention;
    });
    this.#handle('resume', () => {
      this.paused = undefined;
    });
    this.#handle('cancel', () => {
      this.cancelAsked = true;
    });
  }

  /** Resolves when no update is in work any more. */
  async untilIdle(): Promise<void> {
    if (!allHandlersFinished()) await condition(allHandlersFinished);
  }

  #handle(name: FleetUpdateName, act: (intervention: Intervention) => void): void {
    const update = defineUpdate<FleetControlResult, [ControlRequest | undefined]>(name);
    const validator = (request: ControlRequest | undefined): void => {
      const problem = problemOfControl(name, request) ?? this.fleet.refusal(name);
      if (problem !== undefined) throw ApplicationFailure.nonRetryable(problem, 'InvalidInput');
    };
    const handler = async (request: ControlRequest | undefined): Promise<FleetControlResult> => {
      const said = present(request);
      const intervention = { action: name, at: new Date().toISOString(), ...said };
      if (this.interventions.length < MAX_INTERVENTIONS) this.interventions.push(intervention);
      act(intervention);
      this.fleet.onChange();
      // The runs are told before they are cancelled: so their own audits say who asked, and why.
      try {
        return { operators: await this.fleet.tell(name, said) };
      } finally {
        if (name === 'cancel') await CancellationScope.nonCancellable(() => requestCancellation());
        this.fleet.onChange();
      }
    };
    setHandler(update, handler, { validator, description: FLEET_UPDATES[name] });
  }
}
