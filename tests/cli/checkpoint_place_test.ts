/** What else may be in a checkpoint's place. */

import assert from "node:assert/strict";
import { assertFails, Place } from "./run.ts";

const SMALL = "--size 20 --steps 3 --hidden-size 3 --epochs 1";

Deno.test({
  name: "a pipe in a checkpoint's place is told before anything is trained, and stays",
  ignore: Deno.build.os === "windows",
  async fn() {
    for (const name of ["last.json", "best.json"]) {
      await using place = await Place.make();
      await Deno.mkdir(`${place.path}/ck`);
      await new Deno.Command("mkfifo", { args: [`${place.path}/ck/${name}`] }).output();
      const run = await place.run(`${SMALL} --checkpoint ck`);
      assertFails(run, 1, `cannot write checkpoint "ck/last.json": "ck/${name}" is a pipe or a device`);
      assert.deepEqual(place.files(), [`ck/${name}`]);
    }
  },
});
