// What callbacks are told.

import { bash, dag, empty, kubernetesPod, sensor, task } from "windlass";

const told = task(
  "told",
  {
    onFailure: async ({ run_id, reason }) =>
      void (await fetch(`https://x/${run_id}`, { method: "POST", body: reason })),
  },
  () => 1,
);
const plain = bash("plain", { command: "true", onRetry: ({ try_number }) => try_number, onSkip: () => {} });
const pod = kubernetesPod("pod", { image: "x", onSuccess: ({ task_id }) => task_id });
const wait = sensor("wait", { onSuccess: () => {} }, () => true);

export const accepted = dag(
  "accepted",
  {
    onFailure: ({ run_state }) => run_state,
    deadline: { after: "2h", from: "started", callback: (_, { signal }) => signal.aborted },
  },
  () => void [told(), plain(), pod(), wait()],
);

export const misspelt = () => {
  // @ts-expect-error a fact that callbacks are not told
  task("a", { onFailure: ({ runId }) => runId }, () => 1);
  // @ts-expect-error an event that there is not
  task("b", { onError: () => {} }, () => 1);
  // @ts-expect-error an empty task does nothing to hear of
  empty("c", { onSuccess: () => {} });
  // @ts-expect-error runs are not tried again
  dag("d", { onRetry: () => {} }, () => {});
  // @ts-expect-error a deadline that nobody hears of
  dag("e", { deadline: { after: "2h" } }, () => {});
  // @ts-expect-error a deadline from another moment
  dag("f", { deadline: { after: "2h", from: "end", callback: () => {} } }, () => {});
};
