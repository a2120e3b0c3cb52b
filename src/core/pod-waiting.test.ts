import { describe, expect, test } from "vitest";
import { AT, condition, container, pod, running, waiting } from "../../test/support/pod-snapshots.ts";
import { judgePod } from "./pod-outcome.ts";
import type { PodSnapshot } from "./pod-snapshot.ts";

describe("waiting", () => {
  const pending = (more: Partial<PodSnapshot>) => pod({ phase: "Pending", ...more });
  test.each<[string, PodSnapshot, string, RegExp]>([
    ["no node yet", pending({ node_name: null }), "starting", /scheduler/],
    [
      "unschedulable",
      pending({
        node_name: null,
        conditions: [
          condition("PodScheduled", "False", {
            reason: "Unschedulable",
            message: "0/3 nodes are available: 3 Insufficient memory.",
          }),
        ],
      }),
      "unschedulable",
      /No node can take the pod: 0\/3 nodes.*Insufficient memory/,
    ],
    [
      "gated",
      pending({ node_name: null, conditions: [condition("PodScheduled", "False", { reason: "SchedulingGated" })] }),
      "unschedulable",
      /gate/,
    ],
    ["creating", pending({ containers: [container(waiting("ContainerCreating"))] }), "starting", /node-7/],
    [
      "init container runs",
      pending({
        containers: [container(running, { name: "fetch", init: true }), container(waiting("PodInitializing"))],
      }),
      "starting",
      /init container "fetch"/,
    ],
    [
      "ErrImagePull",
      pending({ containers: [container(waiting("ErrImagePull", "not found"))] }),
      "image",
      /registry.example\/etl:1.*not found/,
    ],
    [
      "ImagePullBackOff",
      pending({ containers: [container(waiting("ImagePullBackOff", "Back-off pulling image"))] }),
      "image",
      /ImagePullBackOff/,
    ],
    [
      "InvalidImageName",
      pending({ containers: [container(waiting("InvalidImageName"))] }),
      "image",
      /InvalidImageName/,
    ],
    [
      "ErrImageNeverPull",
      pending({ containers: [container(waiting("ErrImageNeverPull"))] }),
      "image",
      /ErrImageNeverPull/,
    ],
    [
      "image of an init container",
      pending({
        containers: [
          container(waiting("ErrImagePull"), { name: "fetch", init: true }),
          container(waiting("PodInitializing")),
        ],
      }),
      "image",
      /init container "fetch"/,
    ],
    [
      "CreateContainerConfigError",
      pending({ containers: [container(waiting("CreateContainerConfigError", 'secret "db" not found'))] }),
      "configuration",
      /secret "db" not found/,
    ],
    [
      "CreateContainerError",
      pending({ containers: [container(waiting("CreateContainerError"))] }),
      "configuration",
      /CreateContainerError/,
    ],
    [
      "RunContainerError",
      pending({ containers: [container(waiting("RunContainerError"))] }),
      "configuration",
      /RunContainerError/,
    ],
    ["being deleted", pending({ deletion_requested_at: AT(1) }), "starting", /being deleted/],
  ])("%s", (_, snapshot, kind, reason) => {
    const judged = judgePod(snapshot);
    expect(judged.outcome).toBeNull();
    expect(judged.waiting?.kind).toBe(kind);
    expect(judged.waiting?.reason).toMatch(reason);
  });
});
