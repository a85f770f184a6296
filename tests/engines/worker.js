/** The suite in workerd, which compiles no WebAssembly: the core is given as a module. */
import * as g from "mod.js";
import module from "plain.wasm";
import { suite } from "suite.js";

export default {
  async fetch(request) {
    try {
      const form = await request.formData(), files = {};
      for (const [name, file] of form) files[name] = new Uint8Array(await file.arrayBuffer());
      return Response.json(await suite(g, files, { module }));
    } catch (error) {
      return Response.json({ error: `${error} ${error?.stack}` });
    }
  },
};
