/**
 * Fails unless deno.json, core/version.ts and the newest heading of CHANGELOG.md state the same version.
 *
 *     deno task version
 *
 * @module
 */

import { VERSION } from "../core/version.ts";
import { commandLine } from "./command_line.ts";

commandLine("deno task version", "Fails where the version is not the same everywhere.", {});
const read = (path: string) => Deno.readTextFile(new URL(`../${path}`, import.meta.url));
const stated = {
  "deno.json": JSON.parse(await read("deno.json")).version as string,
  "core/version.ts": VERSION,
  "CHANGELOG.md": (await read("CHANGELOG.md")).match(/^## (.*)$/m)?.[1],
};
if (new Set(Object.values(stated)).size > 1) {
  console.error(`The version differs: ${Object.entries(stated).map((entry) => entry.join(" says ")).join(", ")}`);
  Deno.exit(1);
}
console.log(`Checked the version: ${VERSION}`);
