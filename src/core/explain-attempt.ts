// An attempt under way: queued for launch, launching, a pod that does not run yet, a worker that runs.

import { adviseScheduling } from "./advise-scheduling.ts";
import { parseExecutor, sayUnknownCluster } from "./executor-name.ts";
import { isEventSaid } from "./explain-event.ts";
import { sayGrownMemory } from "./explain-memory.ts";
import { explainNoScheduler } from "./explain-waiting.ts";
import { clause, sayDue, sayInstant, saySeconds, saySince, secondsBetween, sentence } from "./phrase.ts";
import { type AttemptSituation, type Cause, type Explanation, nameTask, type Situation } from "./situation.ts";

// As many heartbeats may be missed before it is worth saying.
const MISSED_HEARTBEATS = 6;

export function explainAttempt(situation: Situation, now: Date): Explanation {
  const { instance, attempt, scheduler } = situation;
  const task = nameTask(instance);
  if (attempt === null) return say("launch_queue", `${task} is queued, and its attempt is being made`);
  const nobodys = sayNobodysCluster(attempt, scheduler);
  if (attempt.stop_requested_at !== null && attempt.outcome === null) {
    const why = attempt.stop_reason === null ? "" : `: ${clause(attempt.stop_reason)}`;
    return say("stopping", `${task} is being stopped ${saySince(attempt.stop_requested_at, now)}${why}`, nobodys);
  }
  if (nobodys !== null) return say("no_scheduler", `${task} goes no further for now: ${nobodys}`);
  switch (attempt.state) {
    case "queued":
      return scheduler.alive ? explainQueued(task, attempt, now) : explainNoScheduler(situation, now);
    case "launching":
      return scheduler.alive ? explainLaunching(task, attempt, now) : explainNoScheduler(situation, now);
    case "launched":
      return explainLaunched(task, attempt, now);
    case "running":
      return explainRunning(situation, attempt, now);
    case "finished":
      return say("next_pass", `${task} goes on with the scheduler's next pass, because its attempt has ended`);
  }
}

/** Its pod, if there is one, goes on, but nobody hears of it. */
function sayNobodysCluster(attempt: AttemptSituation, { alive, executors }: Situation["scheduler"]): string | null {
  const { cluster } = parseExecutor(attempt.executor);
  if (cluster === null || !alive || attempt.state === "finished" || executors.includes(attempt.executor)) return null;
  return clause(sayUnknownCluster(cluster));
}

const say = (cause: Cause, ...parts: (string | null)[]): Explanation => ({ cause, sentence: sentence(...parts) });

function explainQueued(task: string, attempt: AttemptSituation, now: Date): Explanation {
  if (attempt.launch_failures === 0) {
    const where = inCluster(attempt);
    return say(
      "launch_queue",
      `${task} waits ${saySince(attempt.queued_at, now)} for a scheduler to launch it${where}`,
    );
  }
  const times = attempt.launch_failures === 1 ? "once" : `${attempt.launch_failures} times`;
  const next = attempt.launch_after === null ? "at once" : sayDue(attempt.launch_after, now);
  const why = clause(attempt.waiting_reason ?? "no reason was recorded");
  return say(
    "launch_put_off",
    `${task} could not be launched${inCluster(attempt)}, ${times} so far, and is launched again ${next}: ${why}`,
  );
}

function explainLaunching(task: string, attempt: AttemptSituation, now: Date): Explanation {
  const who = attempt.claimed_by === null ? "a scheduler" : `scheduler "${attempt.claimed_by}"`;
  if (attempt.claimed_until !== null && attempt.claimed_until <= now) {
    return say(
      "launching",
      `${task} is launched by another scheduler in a moment, because ${who} claimed it and fell silent`,
    );
  }
  return say("launching", `${task} is being launched${inCluster(attempt)} by ${who}`);
}

function explainLaunched(task: string, attempt: AttemptSituation, now: Date): Explanation {
  const since = attempt.waiting_since === null ? "" : ` ${saySince(attempt.waiting_since, now)}`;
  const why = clause(attempt.waiting_reason ?? "no reason was given");
  const where = nameWhere(attempt);
  const event = sayEvent(attempt, now);
  switch (attempt.waiting_kind) {
    case "unschedulable":
      return say(
        "unschedulable",
        `${task} waits${since} for a node for ${where}: ${why}${event}`,
        sayGrownMemory(attempt),
        adviseScheduling(why),
      );
    case "image":
      return say(
        "image",
        `${task} waits${since} because ${where} gets no image: ${why}${event}`,
        "check the image's name, its registry and its pull secret",
      );
    case "configuration":
      return say(
        "configuration",
        `${task} waits${since} because ${where} cannot be started: ${why}${event}`,
        "create what is missing, or correct the task's pod",
      );
    case "starting":
      return say("starting", `${task} waits${since} for ${where} to start: ${why}${event}`);
    case null:
      return explainSilentStart(task, where, attempt, now);
  }
}

/** Nothing holds its pod up, and yet no worker has reported. */
function explainSilentStart(task: string, where: string, attempt: AttemptSituation, now: Date): Explanation {
  const began = attempt.container_started_at ?? attempt.launched_at ?? attempt.queued_at;
  const what = attempt.container_started_at === null ? "was launched" : "has started its container";
  const age = secondsBetween(began, now);
  return say(
    "starting",
    `${task} waits for its worker to report: ${where} ${what}, ${saySeconds(age)} ago`,
    age < 30 ? null : "see the pod's log, and whether it reaches the API at WINDLASS_API_URL",
  );
}

/** What the reason says already is not said again. */
function sayEvent({ last_event: event, last_event_at: at, waiting_reason: why }: AttemptSituation, now: Date): string {
  if (event === null || at === null || isEventSaid(why ?? "", event)) return "";
  return ` (its last event, ${saySeconds(secondsBetween(at, now))} ago: ${clause(event)})`;
}

function nameWhere(attempt: AttemptSituation): string {
  if (attempt.executor === "local" || attempt.pod_name === null) return "its process";
  const namespace = attempt.namespace === null ? "" : ` in namespace "${attempt.namespace}"`;
  return `pod "${attempt.pod_name}"${namespace}${inCluster(attempt, "of")}`;
}

/** Nothing for the installation's own. */
function inCluster({ executor }: AttemptSituation, preposition = "in"): string {
  const { cluster } = parseExecutor(executor);
  return cluster === null ? "" : ` ${preposition} cluster "${cluster}"`;
}

function explainRunning({ instance, limits }: Situation, attempt: AttemptSituation, now: Date): Explanation {
  const task = nameTask(instance);
  const started = attempt.started_at ?? attempt.queued_at;
  const host = attempt.hostname === null ? "" : ` on "${attempt.hostname}"`;
  const tries = `as try ${instance.try_number} of ${instance.max_tries}`;
  // A worker's first sign of life is its start.
  if (attempt.heartbeat_at === null) {
    return say(
      "running",
      `${task} runs${inCluster(attempt)} ${saySince(started, now)}, ${tries}; its image has no worker that would report`,
      attempt.waiting_reason === null ? null : clause(attempt.waiting_reason),
    );
  }
  const silence = secondsBetween(attempt.heartbeat_at, now);
  if (silence > MISSED_HEARTBEATS * limits.heartbeat_interval) {
    return say(
      "silent",
      `${task} runs${host} since ${sayInstant(started)}, but its last heartbeat came ${saySeconds(silence)} ago: after ${saySeconds(limits.fence)} of silence it is given up and replaced`,
      "see whether its pod still runs and reaches the API",
    );
  }
  return say(
    "running",
    `${task} runs${host} ${saySince(started, now)}, ${tries}; its last heartbeat came ${saySeconds(silence)} ago`,
    sayGrownMemory(attempt),
  );
}
