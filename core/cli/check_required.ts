/** Whether what `--require` asks for is reached, for programs that ask whether a model is good enough. */

import { UsageError } from "../job/options.ts";
import type { Requirement } from "./requirements.ts";
import { remark } from "./terminal.ts";

/** The exit code of a program whose scores are not what was required. */
const MISSED = 3;

const HOLDS: Readonly<Record<Requirement["is"], (value: number, bound: number) => boolean>> = {
  ">=": (value, bound) => value >= bound,
  ">": (value, bound) => value > bound,
  "<=": (value, bound) => value <= bound,
  "<": (value, bound) => value < bound,
};

/**
 * The exit code by what was required: 0 or 3; what is missed is said.
 *
 * @throws {UsageError} If a score is not there.
 */
export function checkRequired(required: readonly Requirement[], scores?: Readonly<Record<string, number>>): number {
  let code = 0;
  for (const { score, is, bound } of required) {
    const value = scores?.[score];
    if (value === undefined) {
      const there = scores ? `the scores are ${Object.keys(scores).join(", ")}` : "nothing was held out to score";
      throw new UsageError(`--require ${score}: there is no such score here: ${there}`);
    }
    if (HOLDS[is](value, bound)) continue;
    remark(`required: ${score} ${is} ${bound}, got ${value.toPrecision(6)}`);
    code = MISSED;
  }
  return code;
}
