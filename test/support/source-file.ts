// What the architecture test needs to know of a source file, read from its syntax tree: strings and comments are not code.

import { parseAst } from "vitest/node";

export interface ImportOf {
  /** As written: a path with its suffix, or a package. */
  target: string;
  /** "value" is loaded at run time; `import { type A }` is, too, `import type { A }` is not. */
  kind: "type" | "value";
}

export interface SourceFile {
  /** From the project's root, with forward slashes. */
  path: string;
  lines: number;
  imports: ImportOf[];
  hasDefaultExport: boolean;
  /** Names like `process.env`, `Date.now`, `new Date()`, `console.log`, `process`, as far as the code uses them. */
  uses: Set<string>;
}

interface Node {
  type: string;
  [field: string]: unknown;
}

// Objects whose members reach outside a pure function, and globals that do so by themselves.
const OBJECTS = new Set(["process", "Date", "Math", "console", "performance", "crypto", "Temporal"]);
const GLOBALS = new Set(["process", "setTimeout", "setInterval", "setImmediate", "fetch", "performance", "crypto"]);

export function parseSource(path: string, text: string): SourceFile {
  const file: SourceFile = {
    path,
    lines: text.split("\n").length - (text.endsWith("\n") ? 1 : 0),
    imports: [],
    hasDefaultExport: false,
    uses: new Set(),
  };
  visit(parseAst(text, { lang: path.endsWith("x") ? "tsx" : "ts" }) as unknown as Node, file);
  return file;
}

function visit(node: Node, file: SourceFile): void {
  record(node, file);
  for (const [field, value] of Object.entries(node)) {
    // `a.process` and `{ process: 1 }` name a property, not the global.
    const isName = (field === "property" || field === "key") && node["computed"] === false;
    if (isName) continue;
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, file);
  }
}

function record(node: Node, file: SourceFile): void {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration": {
      const isType = node["importKind"] === "type" || node["exportKind"] === "type";
      addImport(node["source"], isType ? "type" : "value", file);
      break;
    }
    case "ImportExpression":
      addImport(node["source"], "value", file);
      break;
    case "TSImportType":
      addImport(node["source"], "type", file);
      break;
    case "ExportDefaultDeclaration":
      file.hasDefaultExport = true;
      break;
    case "MemberExpression": {
      const object = nameOf(node["object"]);
      const property = nameOf(node["property"]) ?? stringOf(node["property"]);
      if (object && property && OBJECTS.has(object)) file.uses.add(`${object}.${property}`);
      break;
    }
    case "VariableDeclarator": {
      // `const { env } = process` is `process.env`.
      const object = nameOf(node["init"]);
      const pattern = node["id"];
      if (!object || !OBJECTS.has(object) || !isNode(pattern) || !Array.isArray(pattern["properties"])) break;
      for (const property of pattern["properties"]) {
        const key = isNode(property) ? nameOf(property["key"]) : null;
        if (key) file.uses.add(`${object}.${key}`);
      }
      break;
    }
    case "NewExpression":
      if (nameOf(node["callee"]) === "Date" && Array.isArray(node["arguments"]) && node["arguments"].length === 0) {
        file.uses.add("new Date()");
      }
      break;
    case "Identifier": {
      const name = nameOf(node);
      if (name && GLOBALS.has(name)) file.uses.add(name);
      break;
    }
    default:
  }
}

function addImport(source: unknown, kind: ImportOf["kind"], file: SourceFile): void {
  const target = stringOf(source);
  if (target !== null) file.imports.push({ target, kind });
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function nameOf(value: unknown): string | null {
  return isNode(value) && value.type === "Identifier" && typeof value["name"] === "string" ? value["name"] : null;
}

function stringOf(value: unknown): string | null {
  return isNode(value) && value.type === "Literal" && typeof value["value"] === "string" ? value["value"] : null;
}
