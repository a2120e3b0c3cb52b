// Why a task instance does not run, or how it ended, in one sentence at any time: the first true answer on its way from
// the run's limits over its upstream, its slot, its launch and its pod to its end.

import { explainAttempt } from "./explain-attempt.ts";
import { explainEnd } from "./explain-end.ts";
import { clause, sayDue, sayInstant, sentence } from "./phrase.ts";
import { explainDeferred, explainRetry, explainScheduled, explainUnmet } from "./explain-waiting.ts";
import { type Explanation, nameTask, type Situation } from "./situation.ts";

export function explainInstance(situation: Situation, now: Date): Explanation {
  const { instance } = situation;
  const { state } = instance;
  switch (state) {
    case null:
      return withEvent(situation, explainUnmet(situation, now));
    case "scheduled":
      return withEvent(situation, explainScheduled(situation, now));
    case "up_for_retry":
      return explainRetry(situation, now);
    case "queued":
    case "running":
      return explainAttempt(situation, now);
    case "up_for_reschedule": {
      const next = instance.retry_at === null ? "in a moment" : sayDue(instance.retry_at, now);
      return { cause: "reschedule", sentence: sentence(`${nameTask(instance)} looks again ${next}`, instance.reason) };
    }
    case "deferred":
      return explainDeferred(situation, now);
    case "restarting":
      return {
        cause: "restarting",
        sentence: sentence(
          `${nameTask(instance)} waits for its old attempt to end: ${clause(instance.reason ?? "it was cleared")}`,
        ),
      };
    case "success":
    case "failed":
    case "upstream_failed":
    case "skipped":
    case "removed":
      return explainEnd(situation, state);
  }
}

/** The event that it is going to wait for may be here already. */
function withEvent({ instance: { event_at } }: Situation, said: Explanation): Explanation {
  if (event_at === null) return said;
  const unended = said.sentence.replace(/\.$/, "");
  return { ...said, sentence: sentence(unended, `its event came at ${sayInstant(event_at)} and is kept`) };
}
