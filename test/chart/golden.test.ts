// What the chart renders for each value set, as it is committed: a change of the chart shows what it changes. After a change
// that is meant: vitest run --project cluster test/chart/golden.test.ts -u

import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { mustRun } from "../support/command.ts";
import { CHART, maskPasswords, renderSet, VALUE_SETS, valuesFile } from "./render.ts";

describe("the chart renders", () => {
  it("every value set to a golden file, and no other", () => {
    expect(VALUE_SETS.length).toBeGreaterThanOrEqual(12);
    expect(
      globSync(join(CHART, "tests/golden/*.yaml"))
        .map((path) => basename(path, ".yaml"))
        .toSorted(),
    ).toEqual(VALUE_SETS);
  });

  it.each(VALUE_SETS)("%s", async (name) => {
    const text = maskPasswords(await renderSet(name, "windlass"));
    await expect(text).toMatchFileSnapshot(join(CHART, "tests/golden", `${name}.yaml`));
  });

  it.each(VALUE_SETS)("%s without a complaint of the linter", async (name) => {
    expect(
      await mustRun("helm", ["lint", "--strict", CHART, "--kube-version", "1.34.0", "--values", valuesFile(name)]),
    ).toContain("0 chart(s) failed");
  });
});
