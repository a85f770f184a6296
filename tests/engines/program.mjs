/** Runs the suite in Node and Bun: node program.mjs FOLDER DATA, where FOLDER holds the library. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";
import { models } from "./models.js";
import { paths, suite, threads } from "./suite.js";

const [folder, data] = process.argv.slice(2);
const g = await import(pathToFileURL(`${folder}/mod.js`).href), files = {};
for (const name of ["moves.csv", "reviews.txt", "sales.csv"]) files[name] = await readFile(`${data}/${name}`);
const home = await mkdtemp(`${tmpdir()}/grutto-`), kept = await paths(g, `${home}/model.json`);
await rm(home, { recursive: true });
const list = JSON.parse(await readFile(`${folder}/models.json`, "utf8"));
const said = await models((name) => import(pathToFileURL(`${folder}/${name}`).href), list);
console.log(JSON.stringify({ ...await suite(g, files), threads: await threads(g), paths: kept, models: said }));
process.exit(0);
