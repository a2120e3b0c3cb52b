import fc from "fast-check";
import { expect, test } from "vitest";
import { podName } from "./pod-name.ts";

const ATTEMPT = "0199c0de-1234-7abc-8def-0123456789ab";
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

test.each([
  ["sum", "extract", "sum-extract-0199c0de12347abc8def0123456789ab"],
  ["Sum_of.squares", "LOAD", "sum-of-squares-load-0199c0de12347abc8def0123456789ab"],
  ["a_very_long_dag_name", "a_very_long_task_name", "a-very-long-dag-a-very-long-ta-0199c0de12347abc8def0123456789ab"],
  ["etl", "a_task_name_that_needs_room", "etl-a-task-name-that-needs-roo-0199c0de12347abc8def0123456789ab"],
  ["___", "...", "0199c0de12347abc8def0123456789ab"],
])("names the pod of %s, %s", (dag, task, name) => {
  expect(podName(dag, task, ATTEMPT)).toBe(name);
});

test("is a DNS label for any ids, and different for different attempts", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.uuid(), fc.uuid(), (dag, task, one, other) => {
      const name = podName(dag, task, one);
      expect(name).toMatch(DNS_LABEL);
      expect(name.length).toBeLessThanOrEqual(63);
      expect(podName(dag, task, one)).toBe(name);
      if (one !== other) expect(podName(dag, task, other)).not.toBe(name);
    }),
  );
});
