/**
 * Serves a page that trains: `deno task page`, then open the address that it prints.
 *
 * Its headers isolate the page, so that browsers let it share memory with threads.
 *
 * @module
 */

import esbuild from "npm:esbuild@0.28.2";
import { commandLine, numberOption } from "../command_line.ts";
import { buildPage } from "./build.ts";
import { servePage } from "./serve.ts";

const { values } = commandLine("deno task page", "Serves a page that trains.", {
  port: { type: "string", default: "8000", about: "the port; 0: any that is free" },
});
const port = numberOption("port", values.port!, 0), files = await buildPage();
await esbuild.stop();
const server = servePage(files, { port });
console.log(`http://127.0.0.1:${server.addr.port}/`);
