import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { monitorKubernetes } from "./kubernetes-metrics.ts";

test("clusters are told apart by a label, which is empty for the installation's own", async () => {
  const registry = new Registry();
  const monitorOf = monitorKubernetes(registry);
  for (const cluster of [null, "gpu"]) {
    const monitor = monitorOf(cluster);
    monitor.onRequest({ verb: "create", resource: "pods", code: 201, seconds: 0.1 });
    monitor.onLimit("write", 32);
    monitor.onList("etl", "start");
    monitor.onPodStarted(1, 2);
  }
  const text = await registry.metrics();
  for (const cluster of ["", "gpu"]) {
    expect(text).toContain(
      `windlass_kubernetes_requests_total{cluster="${cluster}",verb="create",resource="pods",code="201"} 1`,
    );
    expect(text).toContain(`windlass_kubernetes_concurrency_limit{cluster="${cluster}",lane="write"} 32`);
    expect(text).toContain(`windlass_kubernetes_relists_total{cluster="${cluster}",namespace="etl",cause="start"} 1`);
    expect(text).toContain(`windlass_pod_start_duration_seconds_count{cluster="${cluster}"} 1`);
  }
});
