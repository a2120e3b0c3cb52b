// The selectors that Windlass uses: labels and fields that equal a value, joined by commas.

import type { JsonObject } from "../../src/core/json.ts";
import { objectAt, textAt } from "../../src/kubernetes/read-json.ts";

export type Selection = (object: JsonObject) => boolean;

export function selectionOf(query: URLSearchParams): Selection {
  const labels = readPairs(query.get("labelSelector"));
  const fields = readPairs(query.get("fieldSelector"));
  return (object) =>
    labels.every(([key, value]) => textAt(objectAt(objectAt(object, "metadata"), "labels"), key) === value) &&
    fields.every(([path, value]) => {
      const keys = path.split(".");
      const last = keys.pop() ?? "";
      return (
        textAt(
          keys.reduce<unknown>((at, key) => objectAt(at, key), object),
          last,
        ) === value
      );
    });
}

function readPairs(text: string | null): [string, string][] {
  return (text ?? "").split(",").flatMap((pair): [string, string][] => {
    const [key, value] = pair.split("=");
    return key === undefined || value === undefined ? [] : [[key, value]];
  });
}
