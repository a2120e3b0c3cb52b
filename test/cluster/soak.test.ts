// A short soak with a fixed seed: see test/soak/soak.ts. `make soak` is the long one.

import { expect, it } from "vitest";
import { runSoak } from "../soak/soak.ts";
import { ownsCluster } from "./support/harness.ts";

const MINUTES = 1;
const ATTEMPTS = 100;

// On an outside cluster there are no binaries of etcd and the API server at hand.
it.skipIf(!ownsCluster)(
  "a minute of work under random faults loses nothing, repeats nothing and spends no retry",
  { timeout: 600_000 },
  async () => {
    const say = (line: string) => void process.stdout.write(`${line}\n`);
    const { text, violations, ...report } = await runSoak({ seed: "suite", minutes: MINUTES, attempts: ATTEMPTS, say });
    say(JSON.stringify({ ...report, violations: violations.length }));
    expect(text).toBe("");
    expect(violations).toEqual([]);
    expect(report.attempts).toBeGreaterThanOrEqual(ATTEMPTS);
    expect(Object.keys(report.faults).length).toBeGreaterThan(5);
  },
);
