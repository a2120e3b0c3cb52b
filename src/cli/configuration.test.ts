import { expect, test } from "vitest";
import { readConfiguration } from "./configuration.ts";

const faultOf = (environment: Record<string, string>) => {
  try {
    readConfiguration(environment);
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  return "";
};

test.each([
  ["WINDLASS_DATABASE_URL", "postgres://me:hunter/22@db:5432/windlass"],
  ["WINDLASS_DATABASE_URL", "postgres://me:hunter22"],
  ["WINDLASS_DATABASE_URL", "mysql://me:hunter22@db"],
  ["WINDLASS_ENCRYPTION_KEYS", "hunter22"],
])("a wrong %s is named, and its value is not shown", (name, value) => {
  expect(faultOf({ [name]: value })).toContain(`${name} is "***"`);
  expect(faultOf({ [name]: value })).not.toContain("hunter");
});

test("what is no secret is shown, so that it can be found", () => {
  expect(faultOf({ WINDLASS_EXECUTOR: "locale" })).toContain('WINDLASS_EXECUTOR is "locale"');
});
