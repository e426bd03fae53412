import type { Command } from 'commander';
import { registerDoctor } from './doctor';
import { registerPlan } from './plan';

/** The commands that look and change nothing. */
export function registerInspection(program: Command): void {
  registerPlan(program);
  registerDoctor(program);
}
