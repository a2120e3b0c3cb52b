import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TRIGGER_RULES, type TriggerRule } from "./definition.ts";
import { judgeTriggerRule, type TriggerVerdict, type UpstreamCounters } from "./trigger-rule.ts";

/** "3: s2 f1" is three upstream instances of which two succeeded and one failed. */
function parse(text: string): UpstreamCounters {
  const [total, seen = ""] = text.split(":");
  const count = (letter: string) => Number(new RegExp(`\\b${letter}(\\d+)`).exec(seen)?.[1] ?? 0);
  return {
    total: Number(total),
    success: count("s"),
    failed: count("f"),
    upstream_failed: count("u"),
    skipped: count("k"),
    removed: count("r"),
  };
}

// Airflow's TriggerRuleDep, case by case; see the semantics table in docs/architecture.md.
const CASES: [TriggerRule, string, TriggerVerdict][] = [
  ["all_success", "0:", "run"],
  ["all_success", "2: s1", "wait"],
  ["all_success", "2: s2", "run"],
  ["all_success", "3: s1 f1", "upstream_failed"],
  ["all_success", "3: u1", "upstream_failed"],
  ["all_success", "3: k1", "skipped"],
  ["all_success", "3: k1 f1", "upstream_failed"],
  ["all_failed", "2: f1", "wait"],
  ["all_failed", "2: f1 u1", "run"],
  ["all_failed", "3: s1", "skipped"],
  ["all_failed", "3: k1", "skipped"],
  ["all_done", "3: s1 f1", "wait"],
  ["all_done", "4: s1 f1 k1 u1", "run"],
  ["all_done", "2: s1 r1", "run"],
  ["all_skipped", "2: k1", "wait"],
  ["all_skipped", "2: k2", "run"],
  ["all_skipped", "2: s1", "skipped"],
  ["all_skipped", "2: u1", "skipped"],
  ["one_success", "3: s1", "run"],
  ["one_success", "3: f2", "wait"],
  ["one_success", "3: f2 k1", "upstream_failed"],
  ["one_success", "2: k2", "skipped"],
  ["one_failed", "3: f1", "run"],
  ["one_failed", "3: u1", "run"],
  ["one_failed", "3: s2", "wait"],
  ["one_failed", "3: s2 k1", "skipped"],
  ["one_done", "3: s1", "run"],
  ["one_done", "3: f1", "run"],
  ["one_done", "3: u1", "wait"],
  ["one_done", "2: u1 k1", "skipped"],
  ["none_failed", "3: s1 k1", "wait"],
  ["none_failed", "2: s1 k1", "run"],
  ["none_failed", "2: k2", "run"],
  ["none_failed", "3: f1", "upstream_failed"],
  ["none_failed_min_one_success", "2: s1 k1", "run"],
  ["none_failed_min_one_success", "2: k2", "skipped"],
  ["none_failed_min_one_success", "2: u1", "upstream_failed"],
  ["none_skipped", "2: s1", "wait"],
  ["none_skipped", "2: s1 f1", "run"],
  ["none_skipped", "2: k1", "skipped"],
  ["all_done_min_one_success", "2: s1 f1", "run"],
  ["all_done_min_one_success", "2: f2", "upstream_failed"],
  ["all_done_min_one_success", "3: k1", "skipped"],
  ["all_done_setup_success", "2: k2", "skipped"],
  ["all_done_setup_success", "2: f2", "upstream_failed"],
  ["all_done_setup_success", "2: s1 f1", "run"],
  ["always", "3:", "run"],
];

describe("judgeTriggerRule", () => {
  it.each(CASES)("%s with %s gives %s", (rule, counters, verdict) => {
    expect(judgeTriggerRule(rule, parse(counters), -1)).toBe(verdict);
  });

  it("covers every rule", () => {
    expect(new Set(CASES.map(([rule]) => rule))).toEqual(new Set(TRIGGER_RULES));
  });

  it("removes a mapped instance whose upstream shrank below it", () => {
    expect(judgeTriggerRule("all_success", parse("3: s2 r1"), 2)).toBe("removed");
    expect(judgeTriggerRule("all_success", parse("3: s2 r1"), 1)).toBe("run");
  });

  it("never waits once every upstream instance is finished", () => {
    const counters = fc.record({
      success: fc.nat(4),
      failed: fc.nat(4),
      upstream_failed: fc.nat(4),
      skipped: fc.nat(4),
    });
    fc.assert(
      fc.property(fc.constantFrom(...TRIGGER_RULES), counters, (rule, seen) => {
        const total = seen.success + seen.failed + seen.upstream_failed + seen.skipped;
        expect(judgeTriggerRule(rule, { ...seen, removed: 0, total }, -1)).not.toBe("wait");
      }),
    );
  });
});
