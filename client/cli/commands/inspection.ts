import type { Command } from 'commander';
import { registerDoctor } from './doctor';
import { registerOrphans } from './orphans';
import { registerPlan } from './plan';
import { registerVerify } from './verify';

/** The commands that look and change nothing. */
export function registerInspection(program: Command): void {
  registerPlan(program);
  registerDoctor(program);
  registerVerify(program);
  registerOrphans(program);
}
