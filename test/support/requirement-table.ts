// Reads docs/requirements.md, and which tests a file has.

import { parseAst } from "vitest/node";

export interface Requirement {
  id: string;
  text: string;
  /** Each as its file, its title, and of a table of cases the row. */
  tests: { file: string; names: string[] }[];
  /** Why it does not apply, or a part of it; null: it does. */
  reason: string | null;
}

/** Rows `| F1 | text | tests |`; tests are "`file` › title › row", one to a line of the cell. */
export function readRequirements(markdown: string): Requirement[] {
  return markdown.split("\n").flatMap((line): Requirement[] => {
    const cells = /^\| ([FGN]\d+) \| (.*?) \| (.*) \|$/.exec(line);
    if (cells === null) return [];
    const [, id = "", text = "", shown = ""] = cells;
    const parts = shown.split("<br>").map((part) => part.trim());
    const tests = parts.flatMap((part) => {
      const [file = "", ...names] = part.split(" › ");
      return file.startsWith("`") ? [{ file: file.replaceAll("`", ""), names }] : [];
    });
    const reason = parts.find((part) => /does not apply/i.test(part)) ?? null;
    return [{ id, text, tests, reason }];
  });
}

interface Node {
  type: string;
  [field: string]: unknown;
}

/** The titles of a file's tests, and all its texts, of which rows of test.each are some. */
export function readNamedTests(path: string, code: string): { titles: Set<string>; texts: Set<string> } {
  const titles = new Set<string>();
  const texts = new Set<string>();
  const visit = (node: Node): void => {
    const text = textOf(node);
    if (text !== null) texts.add(text);
    const [first] = node.type === "CallExpression" ? (node["arguments"] as Node[]) : [];
    const title = first === undefined ? null : textOf(first);
    if (title !== null && /^(it|test)$/.test(rootOf(node["callee"] as Node))) titles.add(title);
    for (const [field, value] of Object.entries(node)) {
      // The key of a record may name a row.
      if (field === "key" && isNode(value) && value.type === "Identifier") texts.add(String(value["name"]));
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child);
    }
  };
  visit(parseAst(code, { lang: path.endsWith("x") ? "tsx" : "ts" }) as unknown as Node);
  return { titles, texts };
}

function textOf(node: Node): string | null {
  return node.type === "Literal" && typeof node["value"] === "string" ? node["value"] : null;
}

/** `test` of test.each([…])("title"), test.skipIf(x)("title"), test("title"). */
function rootOf(node: Node): string {
  if (node.type === "CallExpression" || node.type === "TaggedTemplateExpression")
    return rootOf((node["callee"] ?? node["tag"]) as Node);
  if (node.type === "MemberExpression") return rootOf(node["object"] as Node);
  return node.type === "Identifier" ? String(node["name"]) : "";
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}
