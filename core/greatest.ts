/**
 * The greatest of any number of values: `Math.max(...values)` fails where they are more than the stack has room for.
 *
 * @param least What it is where none is greater.
 */
export function greatest(values: Iterable<number>, least = -Infinity): number {
  let found = least;
  for (const value of values) found = Math.max(found, value);
  return found;
}
