/** Models as pages, driven in browsers: what is typed is predicted, nobody is asked for anything, and anybody can use them. */

import assert from "node:assert/strict";
import { exportModule } from "../../core/exchange/module.ts";
import { moduleCases } from "../exchange/models.ts";
import { pairCases } from "../exchange/pair_models.ts";
import { type Driven, testDriven, violations } from "./driven.ts";

const cases = await moduleCases(), pairs = await pairCases(), pages = new Map<string, Uint8Array<ArrayBuffer>>();
for (const { name, file } of [...cases, ...pairs]) {
  for (const bytes of Object.values(await exportModule(file, { format: "html", name }))) pages.set(`/${name}`, bytes);
}
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
  const bytes = pages.get(new URL(url).pathname);
  return bytes
    ? new Response(bytes, { headers: { "content-type": "text/html; charset=utf-8" } })
    : new Response("", { status: 404 });
});
const base = `http://127.0.0.1:${server.addr.port}`;
globalThis.addEventListener("unload", () => void server.shutdown());

/** A case's first input as it is pasted. */
function pasted(name: string): string {
  const input = [...cases, ...pairs].find((one) => one.name === name)!.inputs[0];
  if (typeof input === "string") return input;
  const all = input as (number | number[] | Record<string, number>)[];
  if (typeof all[0] === "number") {
    return Array.from({ length: all.length / 5 }, (_, t) => all.slice(5 * t, 5 * t + 5).join(" ")).join("\n");
  }
  const head = Array.isArray(all[0]) ? [] : [["id", ...Object.keys(all[0]!)].join(",")];
  return [...head, ...all.map((row) => Array.isArray(row) ? row.join("\t") : ["a", ...Object.values(row)].join(","))]
    .join("\n");
}

async function paste({ page }: Driven, text: string): Promise<void> {
  await page.$eval("#input", (box, text) => {
    (box as unknown as { value: string }).value = text;
    box.dispatchEvent(new Event("input"));
  }, text);
}

testDriven("model pages predict what is pasted, and ask nobody", async (driven) => {
  const { page } = driven, shown: Record<string, string> = {};
  for (const { name, expected } of cases) {
    driven.requests.length = 0;
    await page.goto(`${base}/${name}`);
    await paste(driven, pasted(name));
    assert.equal(await driven.text(".problem"), "", name);
    shown[name] = await driven.text("section");
    const { label, values, attention } = expected[0] as {
      label?: string;
      values?: { sales: number }[];
      attention?: number[];
    };
    if (label) assert.equal(await driven.text(".verdict"), label);
    if (values) assert.match(shown[name]!, new RegExp(`\\+3${Number(values[2]!.sales.toPrecision(5))}`));
    if (attention) assert.equal((await page.$$(".strip span, .tokens span")).length, attention.length, name);
    const asked = driven.requests.filter((request) => !request.startsWith("GET data:"));
    assert.deepEqual(asked, [`GET ${base}/${name}`]);
    const blocked = await page.evaluate((url) => fetch(url).then(() => "sent", () => "refused"), base);
    assert.equal(blocked, "refused");
    // Firefox calls what was refused an error of the page.
    driven.errors.splice(0, driven.errors.length, ...driven.errors.filter((error) => !error.includes(`at ${base}/`)));
  }
  assert.match(shown.steps!, /Steps1(high|low)2/);
});

testDriven("pages of pairs answer what is typed, with the alignment of every step", async (driven) => {
  const { page } = driven;
  for (const { name, expected: [said] } of pairs) {
    const { text, values, attention, sourceTokens } = said as {
      text?: string;
      values?: number[][];
      attention: number[][];
      sourceTokens?: string[];
    };
    driven.requests.length = 0;
    await page.goto(`${base}/${name}`);
    await paste(driven, pasted(name));
    assert.equal(await driven.text(".problem"), "", name);
    if (text !== undefined) assert.equal(await driven.text(".verdict"), text);
    if (values) assert.match(await driven.text("section"), new RegExp(`\\+2${Number(values[1]![0]!.toPrecision(5))}`));
    const cells = await page.$$eval(".map tbody td", (all) => all.map(({ textContent }) => textContent));
    assert.deepEqual(cells, attention.flat().map((w) => w >= 0.005 ? String(Math.round(100 * w)) : ""));
    const heads = await page.$$eval(".map thead th", (all) => all.map(({ textContent }) => textContent));
    assert.deepEqual(
      heads,
      (sourceTokens ?? attention[0]!.map((_, s) => String(s + 1))).map((t) => t === " " ? "␣" : t),
    );
    assert.deepEqual(driven.requests.filter((request) => !request.startsWith("GET data:")), [`GET ${base}/${name}`]);
    if (!values) continue;
    await page.$eval("#steps", (box) => {
      (box as unknown as { value: string }).value = "2";
      box.dispatchEvent(new Event("input"));
    });
    assert.equal((await page.$$(".map tbody tr")).length, 2);
  }
});

testDriven("a model page works from the keyboard, and says what is wrong", async (driven) => {
  const { page } = driven;
  await page.goto(`${base}/moves`);
  for (const row of [["4", "0.5"], ["5,5", "fast"]]) {
    const fields = await page.$$("form input");
    await fields[0]!.focus();
    await page.keyboard.type(row[0]!);
    await page.keyboard.press("Tab");
    await page.keyboard.type(row[1]!);
    await page.keyboard.press("Enter");
  }
  assert.equal(
    await page.$eval("#input", (box) => (box as unknown as { value: string }).value),
    'speed,turn\n4,0.5\n"5,5",fast\n',
  );
  assert.match(await driven.text('[role="alert"]'), /Cannot predict: step 2, "speed" must be a number, got "5,5"/);
  await paste(driven, "speed;turn\n4;0,5\n5,5;");
  assert.equal(await driven.text('[role="alert"]'), "");
  assert.match(await driven.text(".verdict"), /cruise|start|stop/);
  await paste(driven, "speed\n1");
  assert.match(await driven.text('[role="alert"]'), /step 1 has no "turn"/);
});

for (const scheme of ["light", "dark"]) {
  testDriven(`model pages break no rule of accessibility, ${scheme}, and fit a phone`, async (driven) => {
    const { page } = driven;
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const { name } of [...cases, ...pairs]) {
      for (const width of [1200, 390]) {
        await page.setViewport({ width, height: 844 });
        await page.goto(`${base}/${name}`);
        assert.deepEqual(await violations(driven), [], `${name}, empty`);
        await paste(driven, pasted(name));
        await page.$$eval("details", (all) => all.forEach((one) => one.setAttribute("open", "")));
        assert.deepEqual(await violations(driven), [], `${name}, ${width}`);
        const full = await page.evaluate("document.documentElement.scrollWidth") as number;
        assert.ok(full <= width, `${name}: ${full} of ${width}`);
        await paste(driven, "?");
        assert.deepEqual(await violations(driven), [], `${name}, wrong`);
      }
    }
  }, ["Chromium"]);
}
