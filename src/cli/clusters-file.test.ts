import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readClusters } from "./clusters-file.ts";

async function fileOf(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "clusters-")), "clusters.yaml");
  await writeFile(path, text);
  return path;
}

test("a file names clusters, each with its defaults", async () => {
  expect(await readClusters(undefined)).toEqual([]);
  expect(await readClusters(await fileOf(""))).toEqual([]);
  const path = await fileOf(`
gpu: {kubeconfig: /etc/gpu/kubeconfig, context: prod, namespaces: [ml, batch], apiUrl: "https://windlass.example.com", parallelism: 8}
edge: {kubeconfig: edge/config, namespaces: [default]}
`);
  expect(await readClusters(path)).toEqual([
    {
      name: "gpu",
      kubeconfigPath: "/etc/gpu/kubeconfig",
      context: "prod",
      namespaces: ["ml", "batch"],
      defaultNamespace: "ml",
      apiUrl: "https://windlass.example.com",
      parallelism: 8,
    },
    {
      name: "edge",
      kubeconfigPath: join(path, "../edge/config"),
      namespaces: ["default"],
      defaultNamespace: "default",
      apiUrl: null,
    },
  ]);
});

test.each([
  ["no file", null, /is not a YAML file that can be read: .*ENOENT/],
  ["no YAML", "gpu: {", /is not a YAML file that can be read/],
  ["a list", "- gpu", /: the file: .*expected record/],
  ["a name that no label can hold", "GPU: {kubeconfig: x, namespaces: [ml]}", /: GPU: a cluster's name has up to 25/],
  ["no kubeconfig", "gpu: {namespaces: [ml]}", /: gpu\.kubeconfig: .*expected string/],
  ["no namespaces", "gpu: {kubeconfig: x, namespaces: []}", /: gpu\.namespaces/],
  ["a wrong namespace", "gpu: {kubeconfig: x, namespaces: [ml, Batch]}", /: gpu\.namespaces\.1: is not a namespace's/],
  ["an address without a scheme", "gpu: {kubeconfig: x, namespaces: [ml], apiUrl: windlass}", /: gpu\.apiUrl: /],
  ["no parallelism", "gpu: {kubeconfig: x, namespaces: [ml], parallelism: 0}", /: gpu\.parallelism: /],
  ["a misspelt field", "gpu: {kubeconfig: x, namespaces: [ml], contxt: a}", /: gpu: .*"contxt"/],
])("%s is an error that names the file and the field", async (_, text, message) => {
  const path = text === null ? "/nowhere/clusters.yaml" : await fileOf(text);
  const expected: unknown = expect.stringMatching(message);
  await expect(readClusters(path)).rejects.toMatchObject({ code: "invalid_configuration", message: expected });
  await expect(readClusters(path)).rejects.toThrow(`WINDLASS_CLUSTERS ${path}`);
});
