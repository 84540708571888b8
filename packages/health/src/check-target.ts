import { addressOf, validate } from '@sd/core';
import * as v from 'valibot';
import type { CheckTarget } from './health-check.ts';
import { port, text } from './check-option-schemas.ts';

/** A target may be a whole instance: only what a check needs is looked at, and kept. */
const targetSchema = v.object(
  { host: text, port, protocol: v.optional(text) },
  'a target: host, port and perhaps protocol',
);

/** @throws {ConfigValidationError} naming each wrong field */
export function validateTarget(what: string, target: CheckTarget): Required<CheckTarget> {
  const { host, port, protocol = 'http' } = validate(what, targetSchema, target);
  return Object.freeze({ protocol, host, port });
}

/** The same for all that a check cannot tell apart. */
export function keyOf({ protocol, host, port }: Required<CheckTarget>): string {
  return `${protocol}://${addressOf({ host, port })}`;
}
