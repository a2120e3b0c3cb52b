import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createRecordingLedger, quiet } from "../../test/support/api-server.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { composeExecutors } from "./compose-executor.ts";
import { type Environment, readConfiguration } from "./configuration.ts";
import { createMetrics } from "./metrics.ts";

async function compose(settings: Environment) {
  const folder = await mkdtemp(join(tmpdir(), "executors-"));
  const clusters = join(folder, "clusters.yaml");
  await writeFile(clusters, "gpu: {kubeconfig: not-there, namespaces: [ml]}\nedge: {kubeconfig: x, namespaces: [a]}");
  const { home, remotes } = await composeExecutors({
    configuration: readConfiguration({
      WINDLASS_CLUSTERS: clusters,
      WINDLASS_DATA_FOLDER: folder,
      WINDLASS_WORKER_IMAGE: "windlass:1",
      ...settings,
    }),
    environment: { KUBERNETES_SERVICE_HOST: "10.0.0.1" },
    ledger: createRecordingLedger(),
    apiUrl: "http://windlass-api:8080",
    installationId: "i",
    holder: "h",
    clock: systemClock,
    log: quiet,
    metrics: createMetrics("scheduler", "0"),
  });
  return [home, ...remotes].map(({ name, namespaceFor }) => [name, namespaceFor(null)]);
}

test.each([
  ["the installation's own", {}, ["kubernetes", "default"]],
  ["this machine", { WINDLASS_EXECUTOR: "local" }, ["local", null]],
])("other clusters are beside %s, whether they can be reached or not", async (_, settings, home) => {
  expect(await compose(settings)).toEqual([home, ["kubernetes:gpu", "ml"], ["kubernetes:edge", "a"]]);
});

test("the image that delivers results is needed for them too", async () => {
  const settings = { WINDLASS_EXECUTOR: "local", WINDLASS_WORKER_IMAGE: "" };
  await expect(compose(settings)).rejects.toThrow("WINDLASS_WORKER_IMAGE is not set");
});
