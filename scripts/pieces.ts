/**
 * The sources of core/exchange/module/runtime as pieces that modules are put together of: each function and each constant by
 * itself, minified, with the others that it uses.
 *
 * @module
 */

import esbuild from "npm:esbuild@0.28.2";
import ts from "npm:typescript@5.9.3";

/** A piece of source text. */
interface Piece {
  /** Its short name. */
  readonly as: string;
  readonly code: string;
  /** Those that must stand with it. */
  readonly uses: readonly string[];
}

/** A top-level statement. */
interface Statement {
  readonly names: readonly string[];
  readonly node: ts.Statement;
  readonly file: ts.SourceFile;
}

/**
 * All pieces by name, in an order in which they may stand.
 *
 * @param files Source texts by name, each after those it imports.
 */
export async function pieces(files: ReadonlyMap<string, string>): Promise<Record<string, Piece>> {
  const statements = [...files].flatMap(([name, text]) => statementsOf(name, text));
  const owners = new Map(statements.flatMap((statement) => statement.names.map((name) => [name, statement] as const)));
  const count = statements.reduce((sum, { names }) => sum + names.length, 0);
  if (owners.size !== count) throw new Error("two pieces have the same name");
  const short = new Map([...owners.keys()].map((name, i) => [name, `_${i.toString(36)}`]));
  const made: Record<string, Piece> = {};
  for (const { names, node, file } of statements) {
    const { text, uses } = renamed(node, file, short);
    const { code } = await esbuild.transform(text, {
      minify: true,
      target: "es2022",
      loader: "ts",
      legalComments: "none",
    });
    const [first, ...others] = names as [string];
    const own = [...new Set([...uses].map((name) => owners.get(name)!.names[0]!))].filter((name) => name !== first);
    made[first] = { as: short.get(first)!, code: code.trim(), uses: own };
    for (const name of others) made[name] = { as: short.get(name)!, code: "", uses: [first] };
  }
  return made;
}

/** A style sheet, minified. */
export async function style(text: string): Promise<string> {
  const { code } = await esbuild.transform(text, { minify: true, loader: "css" });
  await esbuild.stop();
  return code.trim();
}

function statementsOf(name: string, text: string): Statement[] {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
  return file.statements.filter((node) => !ts.isImportDeclaration(node)).map((node) => {
    if (ts.isFunctionDeclaration(node)) return { names: [node.name!.text], node, file };
    if (ts.isVariableStatement(node)) {
      return { names: node.declarationList.declarations.map((one) => (one.name as ts.Identifier).text), node, file };
    }
    throw new Error(`${name}: a piece must be a function or a constant, got ${node.getText(file)}`);
  });
}

/** The text of a statement, without \`export\`, with the short names of pieces in it, and which those are. */
function renamed(node: ts.Statement, file: ts.SourceFile, short: ReadonlyMap<string, string>) {
  const start = node.getStart(file), uses = new Set<string>(), changes: [from: number, to: number, text: string][] = [];
  const visit = (one: ts.Node) => {
    if (one.kind === ts.SyntaxKind.ExportKeyword) changes.push([one.getStart(file), one.getEnd() + 1, ""]);
    if (ts.isIdentifier(one) && short.has(one.text) && isReference(one)) {
      uses.add(one.text);
      const isShort = ts.isShorthandPropertyAssignment(one.parent);
      changes.push([one.getStart(file), one.getEnd(), `${isShort ? `${one.text}: ` : ""}${short.get(one.text)}`]);
    }
    ts.forEachChild(one, visit);
  };
  visit(node);
  let text = node.getText(file);
  for (const [from, to, by] of changes.sort(([a], [b]) => b - a)) {
    text = text.slice(0, from - start) + by + text.slice(to - start);
  }
  return { text, uses };
}

/** Whether a name is looked up among the pieces; a local variable must not have the name of one. */
function isReference(name: ts.Identifier): boolean {
  const { parent } = name;
  if (ts.isPropertyAccessExpression(parent)) return parent.name !== name;
  if (ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isGetAccessor(parent)) {
    return parent.name !== name;
  }
  if (ts.isBindingElement(parent) && parent.propertyName === name) return false;
  const isLocal = (ts.isParameter(parent) || ts.isBindingElement(parent) ||
    ts.isVariableDeclaration(parent) && parent.parent.parent.parent.kind !== ts.SyntaxKind.SourceFile) &&
    parent.name === name;
  if (isLocal) throw new Error(`a local variable has the name of a piece: ${name.text}`);
  return true;
}
