/** The page of a service: it predicts what is typed there. */

import { modelFile } from "../exchange/model_file.ts";
import { MODEL_VERSION } from "./open_inference.ts";
import type { Route } from "./routes.ts";
import type { ServedModel } from "./served_model.ts";

/** The page of a model that becomes one; of any other, what there is to be asked. */
export async function pageOf(model: ServedModel, routes: readonly Route[]): Promise<string> {
  const { exportModule } = await import("../exchange/module.ts");
  const { model: own, preprocessing } = model.loaded;
  try {
    const file = await modelFile(own, { preprocessing: preprocessing ?? undefined });
    const { "model.html": page } = await exportModule(file, { format: "html" });
    return new TextDecoder().decode(page);
  } catch (error) {
    // Some networks become no page.
    return listing(model, routes, (error as Error).message);
  }
}

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** The routes with a line for each. */
function listing({ name }: ServedModel, routes: readonly Route[], why: string): string {
  const lines = routes.map(({ method, path, about, takes }) => {
    const own = path.replace("{model}", encodeURIComponent(name)).replace("{version}", MODEL_VERSION);
    const body = takes ? " -H 'content-type: application/json' -d @body.json" : "";
    const command = `curl ${method === "GET" ? "" : `-X ${method} `}http://127.0.0.1:8000${own}${body}`;
    return `<dt>${escaped(about)}</dt><dd><code>${escaped(command)}</code></dd>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(name)}</title>
<style>body { font: 16px/1.5 system-ui; max-width: 60rem; margin: auto; padding: 1rem; color-scheme: light dark }</style>
<h1>${escaped(name)}</h1>
<p>This model becomes no page that predicts: ${escaped(why)}.</p>
<dl>${lines.join("\n")}</dl>
</html>
`;
}
