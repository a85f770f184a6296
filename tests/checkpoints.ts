/** Checkpoints that tests take apart. */

import { createHash } from "node:crypto";

/** The text of a checkpoint that holds what an object says, with the checksum of that. */
// deno-lint-ignore no-explicit-any -- they are taken apart in every way
export function signed(json: any): string {
  if (typeof json !== "object" || json === null || !Object.hasOwn(json, "checksum")) return JSON.stringify(json);
  const { checksum: _, ...content } = json;
  const hash = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  return `${JSON.stringify({ ...content, checksum: `sha256:${hash}` }, null, 2)}\n`;
}
