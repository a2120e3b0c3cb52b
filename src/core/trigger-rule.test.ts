import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TRIGGER_RULES, type TriggerRule } from "./definition.ts";
import { judgeTriggerRule, type SetupCounters, type TriggerVerdict, type UpstreamCounters } from "./trigger-rule.ts";

const NO_SETUPS: SetupCounters = { total: 0, success: 0, failed: 0, skipped: 0 };

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

/** For teardowns all of these upstream tasks are setups. */
function setupsIn({ total, success, failed, upstream_failed, skipped }: UpstreamCounters): SetupCounters {
  return { total, success, failed: failed + upstream_failed, skipped };
}

// Airflow's TriggerRuleDep, case by case; see the semantics table in docs/architecture.md.
const CASES: [TriggerRule, string, TriggerVerdict][] = [
  ["all_success", "0:", "run"],
  ["all_success", "2: s1", "wait"],
  ["all_success", "2: s2", "run"],
  ["all_success", "3: s1 f1", "upstream_failed"],
  ["all_success", "3: u1", "upstream_failed"],
  // A failure may still come, and would be the stronger reason.
  ["all_success", "3: k1", "wait"],
  ["all_success", "3: s2 k1", "skipped"],
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

/** Of indirect setups, before "all_success" with "1: s1". */
const SETUP_CASES: [string, TriggerVerdict][] = [
  ["1: s1", "run"],
  ["2: s1", "wait"],
  ["2: f1", "upstream_failed"],
  ["2: k1", "wait"],
  ["2: s1 k1", "skipped"],
  ["2: k1 u1", "upstream_failed"],
];

describe("judgeTriggerRule", () => {
  it.each(CASES)("%s with %s gives %s", (rule, text, verdict) => {
    const upstream = parse(text);
    const setups = rule === "all_done_setup_success" ? setupsIn(upstream) : NO_SETUPS;
    expect(judgeTriggerRule(rule, upstream, setups, -1)).toBe(verdict);
  });

  it("covers every rule", () => {
    expect(new Set(CASES.map(([rule]) => rule))).toEqual(new Set(TRIGGER_RULES));
  });

  it.each(SETUP_CASES)("asks for the setups first: %s gives %s", (text, verdict) => {
    expect(judgeTriggerRule("all_success", parse("1: s1"), setupsIn(parse(text)), -1)).toBe(verdict);
    if (verdict !== "run") expect(judgeTriggerRule("always", parse("1: s1"), setupsIn(parse(text)), -1)).toBe(verdict);
  });

  it("runs a teardown without setups when everything is over, and one with setups if one of them succeeded", () => {
    const judge = (upstream: string, setups: string) =>
      judgeTriggerRule("all_done_setup_success", parse(upstream), setupsIn(parse(setups)), -1);
    expect(judge("2: f2", "0:")).toBe("run");
    expect(judge("2: s1", "1: s1")).toBe("wait");
    expect(judge("3: s1 f2", "2: s1 f1")).toBe("run");
    expect(judge("3: s1 f2", "2: f2")).toBe("upstream_failed");
  });

  it("removes a mapped instance whose upstream shrank below it", () => {
    expect(judgeTriggerRule("all_success", parse("3: s2 r1"), NO_SETUPS, 2)).toBe("removed");
    expect(judgeTriggerRule("all_success", parse("3: s2 r1"), NO_SETUPS, 1)).toBe("run");
  });

  const states = ["success", "failed", "upstream_failed", "skipped", "removed"] as const;
  const events = fc.array(
    fc.record({ state: fc.constantFrom(...states), isSetup: fc.boolean(), isUpstream: fc.boolean() }),
    { maxLength: 8 },
  );
  const count = (seen: readonly { state: (typeof states)[number] }[], total: number): UpstreamCounters => {
    const of = (state: string) => seen.filter((event) => event.state === state).length;
    const [success, failed, upstream_failed, skipped, removed] = [
      of("success"),
      of("failed"),
      of("upstream_failed"),
      of("skipped"),
      of("removed"),
    ];
    return { total, success, failed, upstream_failed, skipped, removed };
  };

  it("decides once all is over, and never before that anything else than it would then: order is nothing", () => {
    fc.assert(
      fc.property(fc.constantFrom(...TRIGGER_RULES), events, fc.constantFrom(-1, 0, 2), (rule, all, mapIndex) => {
        const upstream = all.filter(({ isUpstream }) => isUpstream);
        const setups = all.filter(({ isSetup }) => isSetup);
        const judge = (seen: typeof all) => {
          const counted = count(
            seen.filter(({ isSetup }) => isSetup),
            setups.length,
          );
          const own = {
            total: counted.total,
            success: counted.success + counted.removed,
            failed: counted.failed + counted.upstream_failed,
            skipped: counted.skipped,
          };
          return judgeTriggerRule(
            rule,
            count(
              seen.filter(({ isUpstream }) => isUpstream),
              upstream.length,
            ),
            own,
            mapIndex,
          );
        };
        const end = judge(all);
        expect(end).not.toBe("wait");
        // Any part of the events, as a set: every order of arrival passes through such parts.
        for (let part = 0; part < 2 ** all.length; part += 1) {
          const verdict = judge(all.filter((_, index) => (part >> index) % 2 === 1));
          if (verdict !== "wait") expect(verdict).toBe(end);
        }
      }),
      { numRuns: 300 },
    );
  });
});
