/** The page of a model: one file, from which no request goes out. */

import { VERSION } from "../../version.ts";
import { PAGE_STYLE } from "./pieces.ts";

/** What the page may load: nothing. What stands in it may run. */
const POLICY = "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; " +
  "img-src data:; base-uri 'none'; form-action 'none'";

/** A page of a module's text, which calls `page`. */
export function pageText(name: string, script: string): string {
  const title = name.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header><h1>${title}</h1></header>
<main></main>
<footer>Made by Grutto ${VERSION}. It computes in this page: nothing that is typed leaves it.</footer>
<script type="module">
${script}</script>
</body>
</html>
`;
}
