// The params of a run that is created without `conf`.

import { isJsonObject, type JsonObject } from "./json.ts";

/** The defaults of the schema's properties. */
export function readParamDefaults(schema: JsonObject | null): JsonObject {
  const properties = schema?.["properties"];
  if (!isJsonObject(properties)) return {};
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, property]) => {
      const value = isJsonObject(property) ? property["default"] : undefined;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
