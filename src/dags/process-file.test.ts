import { renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../lifecycle/clock.ts";
import { createFolder } from "./folder-fixture.ts";
import { processFile } from "./process-file.ts";
import { DEFAULT_LIMITS, type EvaluationLimits } from "./run-sealed.ts";

const OLD = "0123456789abcdef0123456789abcdef01234567";
const NEW = "89abcdef0123456789abcdef0123456789abcdef";
const DAG =
  'import { dag, empty } from "windlass";\nimport { name } from "./name.ts";\nexport default dag(name, {}, () => { empty("one")(); });\n';

test("a file is of one commit, also when the link to it is swapped while it is read", async () => {
  await using fixture = await createFolder({
    [`.worktrees/${OLD}/a.ts`]: DAG,
    [`.worktrees/${OLD}/name.ts`]: 'export const name = "old";',
    [`.worktrees/${NEW}/a.ts`]: DAG,
    [`.worktrees/${NEW}/name.ts`]: 'export const name = "new";',
  });
  const link = join(fixture.folder, "repository");
  symlinkSync(`.worktrees/${OLD}`, link);
  let reads = 0;
  // Read between the bundling and the evaluation.
  const limits: EvaluationLimits = {
    ...DEFAULT_LIMITS,
    get timeMs() {
      reads += 1;
      if (reads === 1) {
        symlinkSync(`.worktrees/${NEW}`, `${link}.new`);
        renameSync(`${link}.new`, link);
      }
      return DEFAULT_LIMITS.timeMs;
    },
  };
  const result = await processFile(link, "a.ts", limits, systemClock);
  expect(reads).toBeGreaterThan(0);
  expect(result).toMatchObject({ kind: "dags", commit: NEW, definitions: [{ dag_id: "new" }] });
});
