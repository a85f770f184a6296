/** Browsers that a page is driven in: each is found in the path, or missing. */

import puppeteer, { type Browser } from "npm:puppeteer-core@25.16.0";

/** A browser. */
export interface Driven {
  readonly name: string;
  /** Its program, if it is here. */
  find(): string | undefined;
  /** Starts it; what it downloads goes into a folder. */
  start(program: string, downloads: string): Promise<Browser>;
}

function inPath(name: string): string | undefined {
  return (Deno.env.get("PATH") ?? "").split(":").map((folder) => `${folder}/${name}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

function chromium(executablePath: string, downloadPath: string, ...args: string[]): Promise<Browser> {
  return puppeteer.launch({
    browser: "chrome",
    executablePath,
    headless: true,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", ...args],
    downloadBehavior: { policy: "allow", downloadPath },
  });
}

/** Chromium with WebGPU, which it computes on the processor. */
export const CHROMIUM_GPU: Driven = {
  name: "Chromium with WebGPU",
  find: () => inPath("chromium"),
  start: (program, downloads) =>
    chromium(program, downloads, "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"),
};

/** The browsers, in which the page is driven from without: it is as people get it. */
export const BROWSERS: readonly Driven[] = [
  {
    name: "Chromium",
    find: () => inPath("chromium"),
    start: (program, downloads) => chromium(program, downloads, "--disable-gpu"),
  },
  {
    name: "Firefox",
    find: () => inPath("firefox-esr"),
    start: (executablePath, downloadPath) =>
      puppeteer.launch({
        browser: "firefox",
        executablePath,
        headless: true,
        extraPrefsFirefox: {
          "browser.download.dir": downloadPath,
          "browser.download.folderList": 2,
          "browser.download.useDownloadDir": true,
          "browser.helperApps.neverAsk.saveToDisk":
            "application/json,application/octet-stream,text/html,text/javascript",
        },
      }),
  },
];
