/** A server of the page's files, on this machine alone. */

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** How a page is served. */
export interface ServeOptions {
  readonly port: number;
  /** Whether the page may share memory with threads. Default true; hosts of static files rarely say so. */
  readonly isIsolated?: boolean;
  /** Is told of every request. */
  readonly onRequest?: (path: string) => void;
}

/** Serves files by their names. */
export function servePage(
  files: ReadonlyMap<string, string>,
  { port, isIsolated = true, onRequest }: ServeOptions,
): Deno.HttpServer<Deno.NetAddr> {
  const isolation = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  };
  return Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, ({ url }) => {
    const { pathname } = new URL(url),
      name = pathname === "/" ? "index.html" : pathname.slice(1),
      text = files.get(name);
    onRequest?.(pathname);
    if (text === undefined) return new Response("There is no such file.", { status: 404 });
    return new Response(text, {
      headers: {
        "content-type": TYPES[name.split(".").at(-1)!]!,
        "cache-control": "no-cache",
        "x-content-type-options": "nosniff",
        ...isIsolated && isolation,
      },
    });
  });
}
