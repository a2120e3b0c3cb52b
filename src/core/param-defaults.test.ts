import { describe, expect, it } from "vitest";
import type { JsonObject } from "./json.ts";
import { readParamDefaults } from "./param-defaults.ts";

describe("the params of a run without conf", () => {
  it.each<[string, JsonObject | null, JsonObject]>([
    ["no schema", null, {}],
    ["a schema without properties", { type: "object" }, {}],
    ["properties that are not an object", { properties: [1] }, {}],
    [
      "defaults of any kind, null included",
      {
        properties: {
          day: { type: "string", default: "2026-01-31" },
          limit: { default: null },
          dry: { default: false },
        },
      },
      { day: "2026-01-31", limit: null, dry: false },
    ],
    ["properties without a default", { properties: { day: { type: "string" }, any: true } }, {}],
  ])("%s", (_, schema, params) => {
    expect(readParamDefaults(schema)).toEqual(params);
  });
});
