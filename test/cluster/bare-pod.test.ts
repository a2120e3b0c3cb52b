// The ground that the suite stands on: the cluster runs pods of the project's image, and how long a bare one takes.

import { afterAll, beforeAll, expect, it } from "vitest";
import { connect, createNamespace } from "../support/api-server.ts";
import { measureBarePod } from "./support/bare-pod.ts";
import { deleteNamespace, listAllPods, waitForNoPods } from "./support/pods.ts";
import { testImage } from "./support/windlass.ts";

const http = connect();
let namespace = "";
beforeAll(async () => {
  namespace = await createNamespace(http);
});
afterAll(async () => {
  await deleteNamespace(http, namespace);
  await http.close();
});

it("runs a pod of the image from create to terminated", async () => {
  const seconds: number[] = [];
  for (let count = 0; count < 5; count += 1) seconds.push((await measureBarePod(http, namespace, testImage())) / 1000);
  const [fastest = Number.NaN] = seconds.toSorted((a, b) => a - b);
  console.log(`a bare pod, create to terminated: ${seconds.map((each) => each.toFixed(2)).join(", ")} s`);
  expect(fastest).toBeGreaterThan(0);
  expect(fastest).toBeLessThan(60);
  await waitForNoPods(http, namespace);
  expect(await listAllPods(http, namespace)).toEqual([]);
});
