// How an instance ended, or why it never ran.

import { isEventSaid } from "./explain-event.ts";
import { describeGroups } from "./explain-waiting.ts";
import { isByPerson } from "./intervention.ts";
import { clause, listNames, sayInstant, saySeconds, secondsBetween, sentence } from "./phrase.ts";
import type { OutcomeKind } from "./outcome.ts";
import { sayMemoryPeak } from "./explain-memory.ts";
import { type AttemptSituation, type Explanation, nameTask, type Situation } from "./situation.ts";
import type { FinishedTaskState } from "./states.ts";

const SIGKILL_EXIT = 137;
const LONGEST_LINE = 160;
const SHOWN_LINES = 3;

/** What each kind of end is called, and what a person can do about it. */
const ENDS: Record<Exclude<OutcomeKind, "success" | "skipped">, { name: string; advice: string | null }> = {
  task_failed: { name: "its code failed", advice: "correct the task and run it again" },
  timed_out: { name: "timed out", advice: "raise its executionTimeout, or let it do less" },
  exited_silently: { name: "ended without a result", advice: "let its function return rather than end the process" },
  out_of_memory: { name: "out of memory", advice: "give it more memory" },
  evicted: { name: "evicted", advice: "run it again when the cluster is well" },
  preempted: { name: "preempted", advice: "give it a higher priority class, or run it again" },
  drained: { name: "drained", advice: "run it again" },
  node_lost: { name: "node lost", advice: "run it again when the cluster is well" },
  image_error: { name: "no image", advice: "correct the image's name or its pull secret" },
  configuration_error: { name: "wrong configuration", advice: "create what is missing, or correct the task's pod" },
  launch_failed: { name: "could not be launched", advice: "see the namespace's quota and the API server" },
  start_timeout: { name: "did not start in time", advice: "remove what held it up, or raise WINDLASS_START_TIMEOUT" },
  deleted: { name: "deleted", advice: "run it again" },
  lost: { name: "lost", advice: "run it again" },
  launch_refused: { name: "launch refused", advice: "grant or correct what the reason names" },
  cancelled: { name: "cancelled", advice: null },
};

export function explainEnd(situation: Situation, state: FinishedTaskState): Explanation {
  const { instance, attempt } = situation;
  const task = nameTask(instance);
  switch (state) {
    case "success": {
      if (isByPerson(instance.reason)) {
        return { cause: "success", sentence: sentence(`${task} counts as success: ${clause(instance.reason)}`) };
      }
      const tries = attempt === null ? "" : ` on try ${instance.try_number} of ${instance.max_tries}`;
      return { cause: "success", sentence: sentence(`${task} succeeded${tries}${sayTime(situation)}`) };
    }
    case "skipped": {
      if (isByPerson(instance.reason)) {
        return { cause: "skipped", sentence: sentence(`${task} counts as skipped: ${clause(instance.reason)}`) };
      }
      if (attempt?.outcome !== "skipped") return explainForced(situation, "upstream_skipped");
      const why = attempt.outcome_reason === null ? "" : `: ${clause(attempt.outcome_reason)}`;
      return { cause: "skipped", sentence: sentence(`${task} skipped itself${sayTime(situation)}${why}`) };
    }
    case "upstream_failed":
      return explainForced(situation, "upstream_failed");
    case "removed":
      return {
        cause: "removed",
        sentence: sentence(`${task} was removed: ${clause(instance.reason ?? "its upstream gave fewer items")}`),
      };
    case "failed":
      return explainFailure(situation, attempt);
  }
}

function explainFailure(situation: Situation, attempt: AttemptSituation | null): Explanation {
  const { instance } = situation;
  const outcome = attempt?.outcome ?? null;
  if (isByPerson(instance.reason)) {
    const cause = instance.reason.startsWith("cancelled") ? "cancelled" : "failed";
    return { cause, sentence: sentence(`${nameTask(instance)} failed: ${clause(instance.reason)}`) };
  }
  if (attempt === null || outcome === null || outcome === "success" || outcome === "skipped") {
    const why = clause(instance.reason ?? "no reason was recorded");
    return { cause: "failed", sentence: sentence(`${nameTask(instance)} failed: ${why}`) };
  }
  const { name, advice } = ENDS[outcome];
  const code = attempt.exit_code === null ? "" : `, exit code ${attempt.exit_code}`;
  // The instance's reason has the budget that was spent, the attempt's what happened.
  const reason = clause(instance.reason ?? attempt.outcome_reason ?? "no reason was recorded");
  const message = attempt.error === null ? "" : clause(attempt.error.message);
  const error =
    attempt.error === null || message === "" || reason.includes(message) ? "" : ` (${attempt.error.name}: ${message})`;
  const told = attempt.last_event === null ? "" : clause(attempt.last_event);
  const event = told === "" || isEventSaid(reason, told) ? null : `its pod's last event was ${told}`;
  const tried = `on try ${instance.try_number} of ${instance.max_tries}`;
  return {
    cause: outcome,
    sentence: sentence(
      `${nameTask(instance)} failed ${tried} (${name}${code})${sayTime(situation)}: ${reason}${error}`,
      sayMemoryPeak(attempt),
      event,
      quoteLog(situation, `${reason} ${message}`),
      adviseSpecially(attempt, outcome) ?? advice,
    ),
  };
}

/** For ends whose kind says less than they do. */
function adviseSpecially({ exit_code, outcome_reason: why }: AttemptSituation, outcome: OutcomeKind): string | null {
  if (outcome === "task_failed" && exit_code === SIGKILL_EXIT) {
    return "see whether its node ran out of memory, or a probe of its pod or the task itself killed it";
  }
  // The kubelet's words, of a limit of the pod's own and of a node under pressure.
  if (outcome !== "evicted" || why === null) return null;
  if (/exceed(?:s|ed) (?:its|the) .*limit/.test(why)) return "raise the limit that is named, or let it write less";
  if (why.includes("low on resource")) return "let its pod request what it uses, so that others have to go first";
  return null;
}

/** Lines that the sentence has already are left out. */
function quoteLog({ log }: Situation, said: string): string | null {
  const lines = log
    .map((line) => clause(line.event, LONGEST_LINE))
    .filter((line) => line !== "" && !said.includes(line))
    .slice(-SHOWN_LINES);
  if (lines.length === 0) return null;
  return `its log ends with ${lines.map((line) => `"${line}"`).join(" / ")}`;
}

/** It never ran, because its trigger rule could not be met any more. */
function explainForced(situation: Situation, cause: "upstream_failed" | "upstream_skipped"): Explanation {
  const { instance, upstream } = situation;
  const rule = `its trigger rule ${upstream.trigger_rule}`;
  const deciding = upstream.groups.filter(({ state }) =>
    cause === "upstream_failed" ? state === "failed" || state === "upstream_failed" : state === "skipped",
  );
  // A rule such as all_failed is broken by successes.
  const groups = deciding.length > 0 ? deciding : upstream.groups;
  const verb = cause === "upstream_failed" ? "never ran" : "was skipped";
  const root = cause === "upstream_failed" ? describeRoots(situation) : null;
  const seen =
    groups.length === 0
      ? clause(instance.reason ?? "no reason was recorded")
      : `upstream has ${describeGroups(groups)}`;
  return { cause, sentence: sentence(`${nameTask(instance)} ${verb} because of ${rule}: ${seen}`, root) };
}

function describeRoots({ upstream }: Situation): string | null {
  const [first, ...others] = upstream.failed;
  if (first === undefined) return null;
  const why = first.reason === null ? "" : `: ${clause(first.reason, 300)}`;
  const also = others.length === 0 ? "" : ` (and so did ${listNames(others.map((other) => other.name))})`;
  return `"${first.name}" failed first${also}${why}`;
}

function sayTime({ instance, attempt }: Situation): string {
  const end = attempt?.finished_at ?? instance.end_date;
  if (end === null) return "";
  const start = attempt === null ? instance.start_date : attempt.started_at;
  const took = start === null ? "" : ` after ${saySeconds(secondsBetween(start, end))}`;
  return `${took} at ${sayInstant(end)}`;
}
