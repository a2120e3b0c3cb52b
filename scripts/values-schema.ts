// The JSON schema of a chart's values, from values.yaml alone: the default says the type, the comment above is the description,
// and `# @schema {...}` at the end of the line adds what those cannot say. Objects with keys are closed; an empty one is open
// unless its annotation says what it holds; null needs an annotation.

import { isMap, isScalar, isSeq, LineCounter, type Node, parse, parseDocument, type Pair } from "yaml";
import { z } from "zod";

export type Schema = Record<string, unknown>;

const annotation = z.record(z.string(), z.unknown());
export const renamedValues = z.array(z.strictObject({ from: z.string(), to: z.string(), since: z.string() }));

/**
 * @param special schemas that an annotation may name, as in `# @schema {$settings: true}`
 * @param renamed dotted paths that pass although they mean nothing any more, so that the chart can say so itself
 */
export function deriveSchema(
  text: string,
  special: Readonly<Record<string, Schema>>,
  renamed: readonly string[],
): Schema {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const lines = text.split("\n");

  const describe = (line: number): string => {
    const comment: string[] = [];
    for (let at = line - 2; at >= 0 && lines[at]?.trim().startsWith("#"); at -= 1) {
      comment.unshift(lines[at]?.trim().replace(/^# ?/, "") ?? "");
    }
    return comment.join(" ");
  };
  const readAnnotation = (line: number): Schema => {
    const found = /# @schema (\{.*\})$/.exec(lines[line - 1] ?? "");
    return found ? annotation.parse(parse(found[1] ?? "")) : {};
  };

  const ofPair = (pair: Pair, path: string): Schema => {
    if (!isScalar(pair.key) || !pair.key.range) throw new Error(`${path}: keys are plain`);
    const { line } = lineCounter.linePos(pair.key.range[0]);
    const description = describe(line);
    const { ...added } = readAnnotation(line);
    let base: Schema = ofValue(pair.value as Node | null, path, added);
    for (const [name, schema] of Object.entries(special)) {
      if (!(name in added)) continue;
      delete added[name];
      base = schema;
    }
    return { ...(description === "" ? {} : { description }), ...base, ...added };
  };

  const ofValue = (value: Node | null, path: string, added: Schema): Schema => {
    if (isMap(value)) {
      if (value.items.length === 0 || added["additionalProperties"] !== undefined || isOpen(path))
        return { type: "object" };
      const properties: Schema = {};
      for (const pair of value.items) {
        const key = isScalar(pair.key) ? String(pair.key.value) : "";
        properties[key] = ofPair(pair, path === "" ? key : `${path}.${key}`);
      }
      return { type: "object", additionalProperties: false, properties };
    }
    if (isSeq(value)) return { type: "array" };
    const plain = isScalar(value) ? value.value : null;
    switch (typeof plain) {
      case "string":
        return { type: "string" };
      case "boolean":
        return { type: "boolean" };
      case "number":
        return { type: Number.isInteger(plain) ? "integer" : "number" };
      default:
        if (added["type"] === undefined) throw new Error(`${path}: the type of null is said by # @schema {type: ...}`);
        return {};
    }
  };

  const schema = ofValue(document.contents, "", {});
  for (const path of renamed) allowPath(schema, path.split("."));
  return { $schema: "http://json-schema.org/draft-07/schema#", title: "Values of the chart windlass", ...schema };
}

/** Kubernetes' own objects, which its API server checks. */
function isOpen(path: string): boolean {
  return /(^|\.)(resources|probes\.\w+)$/.test(path);
}

function allowPath(schema: Schema, [first, ...rest]: readonly string[]): void {
  if (first === undefined) return;
  const properties = (schema["properties"] ?? {}) as Record<string, Schema>;
  schema["properties"] = properties;
  const next =
    properties[first] ??
    (rest.length > 0 ? { type: "object", additionalProperties: false } : { description: "Renamed." });
  properties[first] = next;
  allowPath(next, rest);
}
