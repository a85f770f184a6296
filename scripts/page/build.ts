/** Makes the page's files from their sources. */

import esbuild from "npm:esbuild@0.28.2";
import { STYLE } from "../../core/report/style.ts";
import { fail } from "../command_line.ts";

/** Files that are served as they are. */
const PLAIN = ["index.html", "icon.svg"];

/** The page's files, by their names. `esbuild.stop()` ends what it has started. */
export async function buildPage(): Promise<Map<string, string>> {
  const files = new Map<string, string>(), here = new URL(".", import.meta.url), out = await Deno.makeTempDir();
  const text = async (name: string) => await Deno.readTextFile(new URL(name, here));
  try {
    const args = ["bundle", "--quiet", "--no-lock", "--platform=browser", "--code-splitting", `--outdir=${out}`];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, "app.ts", "worker.ts"],
      cwd: here.pathname,
      stdout: "null",
    }).output();
    if (!success) fail(new TextDecoder().decode(stderr));
    for await (const { name } of Deno.readDir(out)) {
      const { code } = await esbuild.transform(await Deno.readTextFile(`${out}/${name}`), {
        target: "es2022",
        format: "esm",
        minify: true,
        legalComments: "none",
      });
      files.set(name, code);
    }
  } finally {
    await Deno.remove(out, { recursive: true });
  }
  for (const name of PLAIN) files.set(name, await text(name));
  return files.set("page.css", STYLE + await text("page.css"));
}
