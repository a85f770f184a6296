/** How often a decoder is told what was wanted at the step before, rather than fed what it said itself. */

import { fail } from "../errors.ts";
import { resolveKind, type SpecTable } from "../options.ts";
import { philox, PURPOSES } from "../random.ts";

/** Schedules of the teacher ratio. */
export type TeacherName = "constant" | "linear" | "exponential" | "inverseSigmoid";

/**
 * How often a decoder is fed the target of the step before while it is trained: at each step with the probability that
 * is the teacher ratio, and its own output of that step otherwise (scheduled sampling, Bengio et al. 2015,
 * arXiv:1506.03099). Options that a schedule does not have are refused.
 */
export interface TeacherOptions {
  /**
   * The ratio before update i: "constant": `ratio`; "linear": from `ratio` to `last` over `updates`; "exponential": last +
   * (ratio − last)·kⁱ; "inverseSigmoid": last + (ratio − last)·k / (k + e^(i/k)). Default "constant".
   */
  name?: TeacherName;
  /** The first ratio, 0 to 1: 1 is always the target, 0 always its own output. Default 1. */
  ratio?: number;
  /** Where a schedule ends. Default 0. */
  last?: number;
  /** "exponential": the factor of each update, by default 0.999; "inverseSigmoid": the higher, the later, by default 1000. */
  k?: number;
  /** "linear": updates down to `last`. Default: all of the training. */
  updates?: number;
}

const SCHEDULED = { linear: 0, exponential: 0, inverseSigmoid: 0 };

/** The options of the teacher ratio. */
export const TEACHER_OPTIONS: SpecTable<TeacherOptions> = {
  name: {
    type: "choice",
    default: "constant",
    choices: ["constant", "linear", "exponential", "inverseSigmoid"],
    about: "how the teacher ratio changes",
    flag: "teacher-schedule",
  },
  ratio: {
    type: "number",
    default: 1,
    least: 0,
    most: 1,
    about: "how often a decoder is fed the target, not its own output",
    flag: "teacher-ratio",
  },
  last: {
    type: "number",
    optional: true,
    kinds: SCHEDULED,
    least: 0,
    most: 1,
    about: "the ratio that a schedule ends with",
    flag: "teacher-last",
  },
  k: {
    type: "number",
    optional: true,
    kinds: { exponential: 0.999, inverseSigmoid: 1000 },
    least: 0,
    above: true,
    about: "how slowly exponential and inverseSigmoid fall",
    flag: "teacher-k",
  },
  updates: {
    type: "integer",
    optional: true,
    kinds: { linear: undefined },
    otherwise: "all",
    least: 1,
    about: "linear: updates to the last ratio",
    flag: "teacher-updates",
  },
};

/**
 * The options with every default filled in, and no others.
 *
 * @throws {TypeError | RangeError} If an option is unknown or wrong.
 */
export function resolveTeacher(given: TeacherOptions): TeacherOptions {
  const action = "schedule the teacher ratio", full = resolveKind(action, TEACHER_OPTIONS, given) as TeacherOptions;
  if (full.name !== "exponential" || full.k! <= 1) return full;
  const problem = `k of "exponential" must be at most 1, got ${full.k}`;
  throw fail("option-out-of-range", action, problem, { option: "k", value: full.k });
}

/**
 * The teacher ratio of an update. It depends on nothing but the update's number, so a training that is resumed has the same.
 *
 * @param done Updates done before it.
 * @param all Updates of the whole training.
 */
export function teacherRatio(options: TeacherOptions, done: number, all: number): number {
  const { name, ratio: first, last, k, updates = all } = options as Required<TeacherOptions>;
  switch (name) {
    case "linear":
      return first + (last - first) * Math.min(1, done / updates);
    case "exponential":
      return last + (first - last) * k ** done;
    case "inverseSigmoid":
      return last + (first - last) * (k / (k + Math.exp(done / k)));
    default:
      return first;
  }
}

/** What a draw depends on. */
export interface TeacherDraw {
  /** The seed as two words. */
  readonly seed: readonly [number, number];
  /** Updates done before. */
  readonly step: number;
  /** Sequences in earlier batches of the same update. */
  readonly rows: number;
}

/**
 * Where a decoder is fed targets, (B, U): 1 with the probability `ratio`, else 0. Each number depends on the seed, the
 * update, the sequence's place in it and the step alone.
 */
export function drawTeacher(
  ratio: number,
  [B, U]: readonly [B: number, U: number],
  { seed, step, rows }: TeacherDraw,
): Float32Array {
  const teacher = new Float32Array(B * U), words = new Uint32Array(4), threshold = ratio * 2 ** 32;
  if (ratio === 0) return teacher;
  if (ratio === 1) return teacher.fill(1);
  for (let b = 0; b < B; b++) {
    for (let u = 0; u < U; u++) {
      if (u % 4 === 0) philox(words, u / 4, rows + b, step, PURPOSES.teacher, seed[0], seed[1]);
      teacher[b * U + u] = Number(words[u % 4]! < threshold);
    }
  }
  return teacher;
}
