/** Files of text that may be no classes. */

import type { Input } from "../data/readers/record.ts";
import { plural } from "./words.ts";

/** What is to be said of files of which each is a class: one with next to nothing may be none. */
export function smallClasses(inputs: readonly Input[], ends: readonly number[]): string[] {
  if (inputs.length < 3 || inputs.some(({ label }) => label === undefined)) return [];
  const counts = ends.map((end, i) => end - (ends[i - 1] ?? 0));
  const usual = counts.toSorted((a, b) => a - b)[counts.length >> 1]!;
  return inputs.flatMap(({ name }, i) => {
    const count = counts[i]!;
    return count <= 10 && 5 * count < usual
      ? [`${name} is a class of ${plural(count, "text")}, where others have ${usual}: is it one?`]
      : [];
  });
}
