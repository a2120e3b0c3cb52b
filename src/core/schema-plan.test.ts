import { describe, expect, it } from "vitest";
import { planSchema, readCompatibleFrom } from "./schema-plan.ts";

const migration = (version: number, checksum = "same") => ({ version, name: `000${version}_x.sql`, checksum });
const applied = (version: number, compatible_from: number | null = null, checksum = "same") => ({
  ...migration(version, checksum),
  compatible_from,
});
const KNOWN = [migration(1), migration(2)];

describe("a release", () => {
  it.each([
    ["an empty database", [], { pending: [1, 2], ahead: 0 }],
    ["one of an older release", [applied(1)], { pending: [2], ahead: 0 }],
    ["its own", [applied(1), applied(2)], { pending: [], ahead: 0 }],
    ["a gap below what is there", [applied(2)], { pending: [1], ahead: 0 }],
    ["additions of a newer release", [applied(1), applied(2), applied(3), applied(4)], { pending: [], ahead: 2 }],
    ["a change that its own migrations prepared", [applied(1), applied(2), applied(3, 2)], { pending: [], ahead: 1 }],
  ])("works with %s", (_what, there, { pending, ahead }) => {
    const plan = planSchema(KNOWN, there);
    expect(plan.pending.map(({ version }) => version)).toEqual(pending);
    expect(plan.ahead).toHaveLength(ahead);
  });

  it("refuses a schema that only newer releases work with", () => {
    const there = [applied(1), applied(2), applied(3), applied(4, 3)];
    expect(() => planSchema(KNOWN, there)).toThrow(
      expect.objectContaining({ code: "schema_newer", message: expect.stringContaining("0004_x.sql") }),
    );
  });

  it("refuses a migration that has changed since", () => {
    expect(() => planSchema(KNOWN, [applied(1, null, "other")])).toThrow(
      expect.objectContaining({ code: "schema_changed" }),
    );
  });
});

describe("the marker of a migration", () => {
  it.each([
    ["create table x ();\n", null],
    ["-- Adds x.\n\ncreate table x ();\n", null],
    ["-- Drops x.\n-- compatible-from: 0002\ndrop table x;\n", 2],
    ["-- Drops x.\ndrop table x;\n-- compatible-from: 0002\n", null],
    ["-- compatible-from: 3\ndrop table x;\n", 3],
  ])("%j", (sql, expected) => expect(readCompatibleFrom(3, "0003_x.sql", sql)).toBe(expected));

  it.each(["4", "0.2.0", "", "two"])("refuses %j", (text) =>
    expect(() => readCompatibleFrom(3, "0003_x.sql", `-- compatible-from: ${text}\n`)).toThrow("0003_x.sql"),
  );
});
