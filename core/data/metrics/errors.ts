/** Errors of answers that are sequences: what must be changed to make them right. */

import { checkArgument, fail } from "../../errors.ts";

/** Insertions, deletions and substitutions from one sequence to another (Levenshtein). */
export function editDistance<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
  const row = Uint32Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!;
      row[j] = Math.min(above + 1, row[j - 1]! + 1, diagonal + Number(a[i - 1] !== b[j - 1]));
      diagonal = above;
    }
  }
  return row[b.length]!;
}

/**
 * Edit distance of every answer to the nearest of its references (of equals the first), summed, over the summed length of
 * these references: the character, phoneme or word error rate, by what the tokens are.
 *
 * @param found Answers, as lists of tokens.
 * @param references Of each answer one or more.
 * @returns From 0; above 1 where answers are far too long. 0 where there is nothing to get wrong.
 * @throws {RangeError} If there are no answers, or one has no reference.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { errorRate } from "@grutto/grutto";
 *
 * // One substitution among 6 phonemes.
 * assert.equal(errorRate([["HH", "AH", "L"], ["K", "AE", "T"]], [[["HH", "AH", "L"]], [["K", "AE", "B"]]]), 1 / 6);
 * ```
 */
export function errorRate<T>(found: readonly ArrayLike<T>[], references: readonly (readonly ArrayLike<T>[])[]): number {
  checkReferences("compute error rate", found, references, "sequences");
  let errors = 0, total = 0;
  found.forEach((answer, i) => {
    let best = Infinity, length = 0;
    for (const reference of references[i]!) {
      const distance = editDistance(answer, reference);
      if (distance < best) [best, length] = [distance, reference.length];
    }
    errors += best;
    total += length;
  });
  return total ? errors / total : errors ? Infinity : 0;
}

/** Refuses answers without references. */
export function checkReferences(
  action: string,
  found: readonly unknown[],
  references: readonly (readonly unknown[])[],
  are: "strings" | "sequences" | "tokens",
): void {
  // What stands for a sequence may be a string, too: of its characters.
  const check = (name: string, value: unknown) => {
    checkArgument(action, name, value, are === "tokens" ? "lists" : are);
    if (are !== "tokens") return;
    (value as unknown[]).forEach((own, i) => checkArgument(action, `${name}[${i}]`, own, "strings"));
  };
  check("found", found);
  checkArgument(action, "references", references, "lists");
  references.forEach((own, i) => check(`references[${i}]`, own));
  if (!found.length) throw fail("empty", action, "there are no answers");
  if (references.length !== found.length) {
    const problem = `references must be ${found.length} lists, one for each answer, got ${references.length}`;
    throw fail("shape-mismatch", action, problem, { name: "references" });
  }
  const bare = references.findIndex((own) => !own.length);
  if (bare >= 0) throw fail("empty", action, `answer ${bare} has no reference`, { name: "references", value: bare });
}
