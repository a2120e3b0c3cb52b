// docs/requirements.md says by which test each requirement is shown. A test that was renamed or removed makes it a lie.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readNamedTests, readRequirements, type Requirement } from "./support/requirement-table.ts";

const requirements = readRequirements(readFileSync("docs/requirements.md", "utf8"));
const numbered = (letter: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);

/** What the table says of a file that the file does not have. */
function findMissing({ id, tests }: Requirement): string[] {
  return tests.flatMap(({ file, names }) => {
    const known = readNamedTests(file, readFileSync(file, "utf8"));
    const [title, row] = names;
    const missing = title === undefined || !known.titles.has(title) || (row !== undefined && !known.texts.has(row));
    return missing ? [`${id}: ${file} › ${names.join(" › ")}`] : [];
  });
}

describe("the table of requirements", () => {
  it("has every fault, every group and every number, once, in order", () => {
    const ids = [...numbered("F", 30), ...numbered("G", 25), ...numbered("N", 5)];
    expect(requirements.map(({ id }) => id)).toEqual(ids);
  });

  it.each(requirements)("$id is shown by tests that exist, or says why it does not apply", (requirement) => {
    expect(requirement.tests.length > 0 || requirement.reason !== null).toBe(true);
    expect(findMissing(requirement)).toEqual([]);
  });

  it("would be found out", () => {
    const tests = [
      { file: "test/requirements.test.ts", names: ["would be found out"] },
      { file: "test/requirements.test.ts", names: ["is not here"] },
      { file: "test/requirements.test.ts", names: ["would be found out", ["no such", "row"].join(" ")] },
    ];
    expect(findMissing({ id: "X", text: "", tests, reason: null })).toHaveLength(2);
  });
});
