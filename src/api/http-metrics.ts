// How long requests take, by route and never by path: ids must not become labels.

import { Histogram, type Registry } from "prom-client";
import type { ApiServer } from "./api-server.ts";

const NAME = "windlass_http_request_duration_seconds";
const BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export function observeRequests(app: ApiServer, metrics: Registry): void {
  const histogram = new Histogram({
    name: NAME,
    help: "Time from a request's first byte to its answer's end, in seconds.",
    labelNames: ["method", "route", "status"],
    buckets: BUCKETS,
    registers: [metrics],
  });
  app.addHook("onResponse", async (request, reply) => {
    const seconds = reply.elapsedTime / 1000;
    const route = request.routeOptions.url ?? "none";
    histogram.observe({ method: request.method, route, status: String(reply.statusCode) }, seconds);
    request.log.debug(
      { method: request.method, route, status: reply.statusCode, seconds, user: request.user },
      "answered",
    );
  });
}
