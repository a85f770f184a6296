/** Counts, options and paths in words. */

/** A number of things: "1 sequence", "2 sequences". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Options in a line: "size 1000, steps 10". */
export function words(values: object): string {
  return Object.entries(values).filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const nested = typeof value === "object" && !Array.isArray(value);
      return nested ? `${name} (${words(value)})` : `${name} ${Array.isArray(value) ? value.join(",") : value}`;
    }).join(", ");
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.replaceAll("\\", "/").lastIndexOf("/") + 1);
}
