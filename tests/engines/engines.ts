/**
 * Engines other than Deno, and how each runs the suite: a program, a page, or a worker. Engines are looked for in the path
 * and in folders of npm packages; where one is missing, its test is skipped, and fails where CI is set.
 *
 * @module
 */

import { ROOT } from "../cli/run.ts";

/** What the suite found: hashes by name. */
export type Found = Record<string, Record<string, string | number>> & { error?: string };

/** An engine. */
export interface Engine {
  readonly name: string;
  /** Whether it has a file system. */
  readonly hasFiles?: true;
  /** Its program, if it is here. */
  find(): Promise<string | undefined>;
  /** Runs the suite of the library in a folder. */
  run(program: string, folder: string): Promise<Found>;
}

const DATA = `${ROOT}/tests/testdata/own`, HERE = `${ROOT}/tests/engines`;
const FILES = ["moves.csv", "reviews.txt", "sales.csv"];

/** Milliseconds that an engine may take. */
const PATIENCE = 120_000;

/** The folder of npm's packages, one folder an engine, as .ci/run makes it. */
const PACKAGES = Deno.env.get("GRUTTO_ENGINES") ?? "/nowhere";

async function inPath(...names: string[]): Promise<string | undefined> {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  for (const name of names) {
    for (const path of name.startsWith("/") ? [name] : folders.map((folder) => `${folder}/${name}`)) {
      if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
    }
  }
}

/** Runs a program that prints JSON. */
async function printed(program: string, args: string[]): Promise<Found> {
  const { stdout, stderr } = await new Deno.Command(program, { args, signal: AbortSignal.timeout(PATIENCE) }).output();
  const text = new TextDecoder().decode(stdout).trim();
  return text.startsWith("{") ? JSON.parse(text) : { error: `${text}\n${new TextDecoder().decode(stderr)}` } as Found;
}

function node(version: string): Engine {
  return {
    name: `Node ${version}`,
    hasFiles: true,
    find: () => inPath(`${PACKAGES}/node-${version}/node_modules/node/bin/node`),
    run: (program, folder) => printed(program, [`${HERE}/program.mjs`, folder, DATA]),
  };
}

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  wasm: "application/wasm",
};

/** Serves the page, the library and the data, and waits for what the page sends. */
async function served(folder: string, open: (url: string) => Promise<() => Promise<void>>): Promise<Found> {
  const { promise, resolve } = Promise.withResolvers<Found>();
  const roots: Record<string, string> = { dist: folder, data: DATA };
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url), [, root, name] = pathname.match(/^\/(?:(dist|data)\/)?([\w.-]+)$/) ?? [];
    if (pathname === "/result") {
      resolve(await request.json());
      return new Response();
    }
    const bytes = name && await Deno.readFile(`${root ? roots[root] : HERE}/${name}`).catch(() => undefined);
    if (!bytes) return new Response(null, { status: 404 });
    return new Response(bytes, {
      headers: {
        "content-type": TYPES[name.split(".").at(-1)!] ?? "application/octet-stream",
        // Isolated pages may share memory with workers.
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        ...name === "csp.html" && { "content-security-policy": "script-src 'self'" },
      },
    });
  });
  const close = await open(`http://127.0.0.1:${server.addr.port}/page.html`);
  const timer = setTimeout(() => resolve({ error: "the page sent nothing" } as Found), PATIENCE);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await close();
  }
}

/** Starts a program with a folder of its own; the result ends it and removes the folder. */
async function started(
  program: string,
  args: (home: string) => string[],
  prepare?: (home: string) => Promise<void>,
  env: Record<string, string> = {},
): Promise<() => Promise<void>> {
  const home = await Deno.makeTempDir();
  await prepare?.(home);
  const child = new Deno.Command(program, {
    args: args(home),
    env: { HOME: home, ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await child.status;
    await Deno.remove(home, { recursive: true }).catch(() => {});
  };
}

const QUIET_FIREFOX = [
  ["app.update.enabled", false],
  ["datareporting.policy.dataSubmissionEnabled", false],
  ["toolkit.telemetry.enabled", false],
  ["network.captive-portal-service.enabled", false],
  ["network.connectivity-service.enabled", false],
  ["browser.aboutwelcome.enabled", false],
  ["services.settings.server", "http://127.0.0.1:9"],
  ["extensions.update.enabled", false],
  ["browser.region.network.url", ""],
] as const;

const MINI_BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

/** Opens a page in WebKitGTK by its WebDriver, on a screen of its own. */
async function openInWebKit(driver: string, url: string): Promise<() => Promise<void>> {
  const display = `:${90 + Math.floor(Math.random() * 900)}`, port = 20000 + Math.floor(Math.random() * 20000);
  const screen = await started("Xvfb", () => [display, "-screen", "0", "1200x900x24", "-nolisten", "tcp"]);
  const service = await started(driver, () => [`--port=${port}`], undefined, {
    DISPLAY: display,
    LIBGL_ALWAYS_SOFTWARE: "1",
    WEBKIT_DISABLE_COMPOSITING_MODE: "1",
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
    no_proxy: "*",
  });
  const call = async (method: string, path: string, body?: unknown) => {
    for (let tries = 0;; tries++) {
      try {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: JSON.stringify(body) });
        return (await response.json()).value;
      } catch (error) {
        if (tries === 50) throw error;
        await new Promise((done) => setTimeout(done, 200));
      }
    }
  };
  const end = async () => {
    await service();
    await screen();
  };
  try {
    const options = { binary: MINI_BROWSER, args: ["--automation"] };
    const { sessionId, message } = await call("POST", "/session", {
      capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options } },
    });
    if (!sessionId) throw new Error(message);
    // It answers when the page is loaded.
    await call("POST", `/session/${sessionId}/url`, { url });
    return async () => {
      await call("DELETE", `/session/${sessionId}`);
      await end();
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The suite in workerd, which compiles no WebAssembly: the core is given as a module. */
const WORKER = `import * as g from "mod.js";
import module from "plain.wasm";
import { suite } from "suite.js";
import { models } from "models.js";
import wasm from "file-moves.wasm";
import list from "models.json";

export default {
  async fetch(request) {
    try {
      const form = await request.formData(), files = {};
      for (const [name, file] of form) files[name] = new Uint8Array(await file.arrayBuffer());
      const said = await models((name) => import(name), list, wasm);
      return Response.json({ ...await suite(g, files, { module }), models: said });
    } catch (error) {
      return Response.json({ error: String(error?.stack ?? error) });
    }
  },
};
`;

/** A worker's configuration: every script of the library is a module of it. */
async function workerConfig(folder: string, home: string, port: number): Promise<string> {
  const modules: string[] = [];
  const add = async (name: string, from: string, kind: "esModule" | "wasm" | "json") => {
    await Deno.copyFile(from, `${home}/${name}`);
    modules.push(`(name = "${name}", ${kind} = embed "${name}")`);
  };
  await Deno.writeTextFile(`${home}/worker.js`, WORKER);
  modules.push('(name = "worker.js", esModule = embed "worker.js")');
  for (const name of ["suite.js", "models.js"]) await add(name, `${HERE}/${name}`, "esModule");
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".js")) await add(name, `${folder}/${name}`, "esModule");
  }
  for (const name of ["plain.wasm", "file-moves.wasm"]) await add(name, `${folder}/${name}`, "wasm");
  await add("models.json", `${folder}/models.json`, "json");
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [${modules.join(", ")}], compatibilityDate = "2026-01-01"))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
`;
}

/** Every engine that the toolkit is tested in. */
export const ENGINES: readonly Engine[] = [
  node("20"),
  node("22"),
  node("24"),
  {
    name: "Bun",
    hasFiles: true,
    find: () => inPath(`${PACKAGES}/bun/node_modules/bun/bin/bun.exe`),
    run: (program, folder) => printed(program, [`${HERE}/program.mjs`, folder, DATA]),
  },
  {
    name: "Chromium",
    find: () => inPath("chromium"),
    run: (program, folder) =>
      served(folder, (url) =>
        started(program, (home) => [
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
          `--user-data-dir=${home}`,
          url,
        ])),
  },
  {
    name: "Firefox",
    find: () => inPath("firefox-esr"),
    run: (program, folder) =>
      served(folder, (url) =>
        started(
          program,
          (home) => ["--headless", "--no-remote", "--profile", home, url],
          (home) =>
            Deno.writeTextFile(
              `${home}/user.js`,
              QUIET_FIREFOX.map((pair) => `user_pref(${pair.map((value) => JSON.stringify(value)).join(", ")});\n`)
                .join(""),
            ),
          { MOZ_HEADLESS: "1" },
        )),
  },
  {
    name: "WebKitGTK",
    find: async () => await inPath("Xvfb") && await inPath(MINI_BROWSER) && await inPath("WebKitWebDriver"),
    run: (program, folder) => served(folder, (url) => openInWebKit(program, url)),
  },
  {
    name: "workerd",
    find: () => inPath(`${PACKAGES}/workerd/node_modules/@cloudflare/workerd-linux-64/bin/workerd`),
    async run(program, folder) {
      const port = 20000 + Math.floor(Math.random() * 20000);
      const end = await started(
        program,
        (home) => ["serve", `${home}/config.capnp`],
        async (home) => await Deno.writeTextFile(`${home}/config.capnp`, await workerConfig(folder, home, port)),
      );
      try {
        const form = new FormData();
        for (const name of FILES) form.set(name, new Blob([await Deno.readFile(`${DATA}/${name}`)]), name);
        for (let tries = 0;; tries++) {
          try {
            const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: form });
            return await response.json();
          } catch (error) {
            if (tries === 50) throw error;
            await new Promise((done) => setTimeout(done, 200));
          }
        }
      } finally {
        await end();
      }
    },
  },
];
