// Instances without an attempt under way: why none has been made yet.

import { sayMemoryPeak } from "./explain-memory.ts";
import { clause, sayDue, sayInstant, saySeconds, secondsBetween, sentence } from "./phrase.ts";
import { type Explanation, nameTask, type Situation, type UpstreamGroup } from "./situation.ts";
import { isFinishedTaskState } from "./states.ts";
import { judgeTriggerRule, type UpstreamCounters } from "./trigger-rule.ts";

const NAMED = 3;

/** Its dependencies have not been met, or its run has not begun. */
export function explainUnmet(situation: Situation, now: Date): Explanation {
  const { instance, run, dag } = situation;
  const task = nameTask(instance);
  const place = `run "${run.dag_run_id}" of DAG "${dag.dag_id}"`;
  switch (run.state) {
    case "success":
    case "failed":
      return {
        cause: "run_ended",
        sentence: sentence(
          `${task} did not run because ${place} has ended (${run.state})`,
          "trigger a new run to run it",
        ),
      };
    case "queued": {
      if (dag.is_paused) return explainPause(situation);
      if (run.run_after > now) {
        return {
          cause: "run_not_due",
          sentence: sentence(`${task} waits because ${place} begins ${sayDue(run.run_after, now)}`),
        };
      }
      if (!situation.scheduler.alive) return explainNoScheduler(situation, now);
      if (run.reason !== null) {
        return {
          cause: "run_key",
          sentence: sentence(
            `${task} waits because ${place} is queued: it ${clause(run.reason)}`,
            "let them end, or raise the limit of concurrency in the DAG's file",
          ),
        };
      }
      if (run.running + run.ahead >= dag.max_active_runs) {
        const running =
          run.running === 1 ? "1 run of the DAG is running" : `${run.running} runs of the DAG are running`;
        const ahead = run.ahead === 0 ? "" : ` and ${run.ahead} queued before it`;
        return {
          cause: "run_limit",
          sentence: sentence(
            `${task} waits because ${place} is queued: ${running}${ahead}, and max_active_runs is ${dag.max_active_runs}`,
            "let them end, or raise maxActiveRuns in the DAG's file",
          ),
        };
      }
      return explainNextPass(situation, `${place} is about to start`);
    }
    case "running":
      return explainDependencies(situation, now);
  }
}

function explainDependencies(situation: Situation, now: Date): Explanation {
  const { instance, upstream } = situation;
  const open = [...upstream.groups, ...upstream.setups].filter((group) => !isFinishedTaskState(group.state));
  const verdict = verdictOf(situation);
  const isDecided = verdict !== "wait" && !(verdict === "run" && upstream.unexpanded);
  if (isDecided || open.length === 0) {
    if (!situation.scheduler.alive) return explainNoScheduler(situation, now);
    const isFree = upstream.groups.length === 0;
    return explainNextPass(
      situation,
      isFree ? "it waits for no task" : `its trigger rule ${upstream.trigger_rule} is decided`,
    );
  }
  return {
    cause: "upstream",
    sentence: sentence(
      `${nameTask(instance)} waits for ${describeGroups(open)}, because its trigger rule is ${upstream.trigger_rule}`,
      situation.dag.is_paused ? `DAG "${situation.dag.dag_id}" is paused, so unpause it to go on` : null,
    ),
  };
}

function verdictOf({ upstream, instance }: Situation) {
  const counters = countStates(upstream.groups);
  const seen = countStates(upstream.setups);
  const setups = {
    total: seen.total,
    success: seen.success + seen.removed,
    failed: seen.failed + seen.upstream_failed,
    skipped: seen.skipped,
  };
  return judgeTriggerRule(upstream.trigger_rule, counters, setups, instance.map_index);
}

function countStates(groups: readonly UpstreamGroup[]): UpstreamCounters {
  const count = (state: UpstreamGroup["state"]) => groups.find((group) => group.state === state)?.count ?? 0;
  return {
    total: groups.reduce((sum, group) => sum + group.count, 0),
    success: count("success"),
    failed: count("failed"),
    upstream_failed: count("upstream_failed"),
    skipped: count("skipped"),
    removed: count("removed"),
  };
}

/** Up to three tasks, each with its state, and how many more there are. */
export function describeGroups(groups: readonly UpstreamGroup[]): string {
  const named = groups.flatMap(({ state, names }) => names.map((name) => ({ name, state: state ?? "waiting" })));
  const total = groups.reduce((sum, group) => sum + group.count, 0);
  const shown = named.slice(0, NAMED).map(({ name, state }) => `"${name}" (${state})`);
  const more = total - shown.length;
  const parts = more > 0 ? [...shown, `${more} more`] : shown;
  const list = parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1) ?? ""}`;
  return `${total === 1 ? "task" : `${total} tasks:`} ${list}`;
}

/** Ready, and waits for a slot. */
export function explainScheduled(situation: Situation, now: Date): Explanation {
  const { instance, dag } = situation;
  if (dag.is_paused) return explainPause(situation);
  if (!situation.scheduler.alive) return explainNoScheduler(situation, now);
  if (instance.reason === null) return explainNextPass(situation, "it is ready");
  if (instance.waits_for_past) {
    return {
      cause: "past",
      sentence: sentence(
        `${nameTask(instance)} is ready and ${clause(instance.reason)}`,
        "if that one has failed, clear it or mark it as success",
      ),
    };
  }
  const reason = clause(instance.reason).replace(/^waits for a slot: /, "");
  return {
    cause: "slot",
    sentence: sentence(
      `${nameTask(instance)} is ready and waits for a slot: ${reason}`,
      // A pool that cannot serve it says itself what to do.
      reason.includes("windlass pools set") ? null : "let other tasks end, or raise that limit",
    ),
  };
}

export function explainRetry(situation: Situation, now: Date): Explanation {
  const { instance, attempt, limits } = situation;
  if (instance.retry_at === null || instance.retry_at <= now) {
    if (!situation.scheduler.alive) return explainNoScheduler(situation, now);
  }
  const due = instance.retry_at === null ? "at once" : sayDue(instance.retry_at, now);
  const why = clause(attempt?.outcome_reason ?? instance.reason ?? "no reason was recorded");
  const how = instance.same_try
    ? `${nameTask(instance)} starts again ${due} without spending a retry, after fault ${instance.infrastructure_failures} of the ${limits.infrastructure_budget} that the cluster may cause`
    : `${nameTask(instance)} is tried again ${due}, as try ${instance.try_number + 1} of ${instance.max_tries}, because try ${instance.try_number} failed`;
  return { cause: "retry", sentence: sentence(`${how}: ${why}`, attempt && sayMemoryPeak(attempt)) };
}

/** Waits without a pod; its reason says for what, and when it is looked at next or who must answer. */
export function explainDeferred(situation: Situation, now: Date): Explanation {
  const { instance } = situation;
  if (!situation.scheduler.alive) return explainNoScheduler(situation, now);
  const reason = clause(instance.reason ?? "waits for what its operator says");
  return { cause: "deferred", sentence: sentence(`${nameTask(instance)} ${reason}`, "it holds no pod meanwhile") };
}

function explainPause({ instance, dag }: Situation): Explanation {
  return {
    cause: "dag_paused",
    sentence: sentence(`${nameTask(instance)} waits because DAG "${dag.dag_id}" is paused`, "unpause it to go on"),
  };
}

function explainNextPass({ instance }: Situation, why: string): Explanation {
  return {
    cause: "next_pass",
    sentence: sentence(`${nameTask(instance)} goes on with the scheduler's next pass, because ${why}`),
  };
}

/** Nobody is there to do the next step. */
export function explainNoScheduler({ instance, scheduler }: Situation, now: Date): Explanation {
  const seen =
    scheduler.seen_at === null
      ? "no scheduler has been heard of for an hour"
      : `the last sign of a scheduler came at ${sayInstant(scheduler.seen_at)}, ${saySeconds(secondsBetween(scheduler.seen_at, now))} ago`;
  return {
    cause: "no_scheduler",
    sentence: sentence(
      `${nameTask(instance)} waits because no scheduler is alive: ${seen}`,
      "start one, or see its log for why it ended",
    ),
  };
}
