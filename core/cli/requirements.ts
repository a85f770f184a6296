/** `--require`: scores that must be reached, for programs that ask whether a model is good enough. */

import { UsageError } from "../job/options.ts";
import { remark } from "./terminal.ts";

/** The exit code of a program whose scores are not what was required. */
const MISSED = 3;

/** A score that must be reached. */
export interface Requirement {
  readonly score: string;
  readonly is: ">=" | ">" | "<=" | "<";
  readonly bound: number;
}

const HOLDS: Readonly<Record<Requirement["is"], (value: number, bound: number) => boolean>> = {
  ">=": (value, bound) => value >= bound,
  ">": (value, bound) => value > bound,
  "<=": (value, bound) => value <= bound,
  "<": (value, bound) => value < bound,
};

/** Scores that there may be, and those of which less is better. */
const SCORES =
  /^(loss|accuracy|balancedAccuracy|macroF1|microF1|rocAuc|subsetAccuracy|labelAccuracy|mse|rmse|mae|r2|(pinball|coverage)@[\d.]+)$/;
const ERRORS = /^(loss|mse|rmse|mae|pinball@.*)$/;

/**
 * What a flag requires: "accuracy=0.9,rmse<5".
 *
 * @throws {UsageError} If it cannot be understood.
 */
export function requirementsOf(text?: string): Requirement[] {
  return (text === undefined ? [] : text.split(",")).map((part) => {
    const [, score = "", sign, number = ""] = /^\s*([\w@.]+?)\s*(>=|<=|=|>|<)\s*(\S+)\s*$/.exec(part) ?? [];
    const bound = Number(number), is = sign === "=" ? ">=" : sign as Requirement["is"];
    if (sign === undefined || !Number.isFinite(bound)) {
      throw new UsageError(`--require must be scores and bounds, such as accuracy=0.9,rmse<5, got "${part}"`);
    }
    if (!SCORES.test(score)) {
      throw new UsageError(
        `--require: there is no score "${score}": accuracy, balancedAccuracy, macroF1, microF1, rocAuc, loss, mse, rmse, ` +
          "mae and r2 are some",
      );
    }
    if (sign === "=" && ERRORS.test(score)) {
      throw new UsageError(`--require: ${score} is to be small: "${score}<${number}"`);
    }
    return { score, is, bound };
  });
}

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
