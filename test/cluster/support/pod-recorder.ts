// Every pod of a namespace as the API server had it, also those that are gone since: what `kubectl get pods --watch` shows.

import { spawn } from "node:child_process";
import { once } from "node:events";
import * as z from "zod";

const pod = z.looseObject({
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  spec: z.looseObject({
    containers: z.array(z.looseObject({ name: z.string(), image: z.string() })),
    volumes: z.array(z.looseObject({ name: z.string() })).default([]),
  }),
});
export type RecordedPod = z.infer<typeof pod>;

export interface PodRecorder {
  /** The pods of one task, oldest first. */
  ofTask(taskId: string): RecordedPod[];
  stop(): Promise<void>;
}

export async function recordPods(namespace: string): Promise<PodRecorder> {
  const args = ["--namespace", namespace, "get", "pods", "--watch", "--output", "json"];
  const child = spawn("kubectl", args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const pods = new Map<string, RecordedPod>();
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    // Each document is indented, and ends with the one brace that is not.
    const documents = (rest + text).split(/(?<=^\}\n)/m);
    rest = documents.at(-1)?.endsWith("\n}\n") ? "" : (documents.pop() ?? "");
    for (const document of documents) {
      const seen = pod.parse(JSON.parse(document));
      pods.set(seen.metadata.name, seen);
    }
  });
  await once(child, "spawn");
  return {
    ofTask: (taskId) => [...pods.values()].filter(({ metadata }) => metadata.labels["windlass.dev/task-id"] === taskId),
    stop: async () => {
      child.kill();
      await exited;
    },
  };
}
