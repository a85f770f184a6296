/** What `--require` asks for: scores that must be reached. */

import { UsageError } from "../job/options.ts";

/** A score that must be reached. */
export interface Requirement {
  readonly score: string;
  readonly is: ">=" | ">" | "<=" | "<";
  readonly bound: number;
}

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
