/**
 * Names of arrays of a `.npz` that holds training data and test data.
 *
 * @module
 */

/** Words for what an array holds, and for the part that it belongs to, as its name may have them. */
const ROLES = {
  x: /^(x|data|features?|inputs?|images?|sequences?|series|signals?)$/,
  y: /^(y|labels?|targets?|class|classes)$/,
  lengths: /^lengths?$/,
};
const PARTS = { train: /^(train|training|tr)$/, test: /^(test|testing|te)$/ };

type Role = keyof typeof ROLES;
type Part = keyof typeof PARTS;

/** What a name says: x_train, X_TRAIN, trainX, train_labels; undefined where it says no such thing. */
function meaningOf(key: string): { readonly role: Role; readonly part: Part } | undefined {
  const words = key.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase().split(/[\W_]+|(?<=^[xy])(?=t)/);
  if (words.length !== 2) return undefined;
  const find = <Name extends string>(table: Readonly<Record<Name, RegExp>>) =>
    (Object.keys(table) as Name[]).find((name) => words.some((word) => table[name].test(word)));
  const role = find(ROLES), part = find(PARTS);
  return role && part && { role, part };
}

/** The arrays of each part by what they hold, where a file has sequences of both; undefined where names leave a doubt. */
export function partsOf(keys: readonly string[]): Record<Part, Partial<Record<Role, string>>> | undefined {
  const found: Record<Part, Partial<Record<Role, string>>> = { train: {}, test: {} };
  for (const key of keys) {
    const meaning = meaningOf(key);
    if (!meaning) continue;
    const { role, part } = meaning;
    if (found[part][role] !== undefined) return undefined;
    found[part][role] = key;
  }
  return found.train.x !== undefined && found.test.x !== undefined ? found : undefined;
}
