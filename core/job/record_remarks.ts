/** What is to be said of records that may not be what they are taken for. */

import type { Loaded } from "./read_data.ts";

/** Records without which nothing is certain. */
const FEW = 20;

/** Names in a row. */
const listed = (names: readonly string[]) => names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");

/** Channels that never change within a sequence, and do between sequences: who or what was recorded. */
function identities({ records, channelNames = [] }: Loaded): string[] {
  if (!channelNames.length || records.length < 2) return [];
  const first = new Float64Array(channelNames.length).fill(NaN), alike = channelNames.map(() => true);
  const differs = channelNames.map(() => false);
  for (const { values, steps, channels } of records) {
    if (!values || channels !== channelNames.length || steps < 2) return [];
    for (let c = 0; c < channels; c++) {
      if (!alike[c]) continue;
      for (let t = 1; t < steps && alike[c]; t++) alike[c] = values[t * channels + c] === values[c];
      if (first[c] !== first[c]) first[c] = values[c]!;
      else if (values[c] !== first[c]) differs[c] = true;
    }
    if (!alike.includes(true)) return [];
  }
  const names = channelNames.filter((_, c) => alike[c] && differs[c] && alike.some((one) => !one));
  if (!names.length) return [];
  const column = names.length === 1 ? `column ${names[0]} never changes` : `columns ${listed(names)} never change`;
  return [
    `${column} within a sequence: what says who or what was recorded is no channel (--feature-columns names those that ` +
    "are, --group-column keeps its sequences in one part)",
  ];
}

/** Labels of rows in a table that come in runs again and again: the rows are steps. */
function runs({ records, stepNames, labelNames }: Loaded): string[] {
  if (!stepNames || labelNames?.length !== 1 || records.length < 2 * FEW) return [];
  const kinds = new Set<string>();
  let changes = 0, last: string | undefined;
  for (const { labels } of records) {
    const label = labels?.[0];
    if (label === undefined) return [];
    kinds.add(label);
    if (last !== undefined && label !== last) changes++;
    last = label;
  }
  const count = changes + 1, length = Math.round(records.length / count);
  if (kinds.size < 2 || count < 3 * kinds.size || length < 5) return [];
  return [
    `${
      labelNames[0]
    } stays the same for ${length} rows in the mean, ${count} times: if a row is a step of a recording, ` +
    "--sequence-column NAME or --sequence-per-file says so, and --window N cuts it",
  ];
}

/** Labels that are the same but for upper and lower case, or for how their characters are composed. */
function nearlyAlike(labels: Iterable<string>): string[] {
  const seen = new Map<string, string>();
  for (const label of labels) {
    const key = label.normalize("NFKC").toLowerCase().trim(), other = seen.get(key);
    if (other !== undefined && other !== label) {
      return [
        `labels ${JSON.stringify(other)} and ${
          JSON.stringify(label)
        } differ in how they are written alone: they are two classes`,
      ];
    }
    seen.set(key, label);
  }
  return [];
}

/** Refuses lines of text whose classes come first: there are few of what is taken for text, and many labels. */
function refuseTurned({ records, reading }: Loaded, name: string, labels: ReadonlySet<string>): void {
  if (reading?.format !== "text" || records.length < FEW || 2 * labels.size <= records.length) return;
  const texts = new Set<string>();
  for (const { text } of records) if (texts.size <= records.length) texts.add(text ?? "");
  if (texts.size < 2 || 4 * texts.size > labels.size) return;
  throw new Error(
    `cannot read ${name}: what stands before the tab is one of ${texts.size} texts, and behind it one of ` +
      `${labels.size} labels: --label-column 0 --text-column 1 if the label comes first`,
  );
}

/**
 * Remarks on records, in words.
 *
 * @throws {Error} If text and labels are the wrong way round for certain.
 */
export function recordRemarks(loaded: Loaded, name: string): string[] {
  const labels = new Set<string>();
  for (const { labels: own = [] } of loaded.records) {
    for (const label of own) labels.add(label);
    if (labels.size > loaded.records.length) break;
  }
  refuseTurned(loaded, name, labels);
  return [...identities(loaded), ...runs(loaded), ...labels.size <= 1000 ? nearlyAlike(labels) : []];
}
