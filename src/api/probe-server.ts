// Probes and metrics of a process that has no API: /livez says that its loops turn, /readyz that it can reach its database.

import { fastify } from "fastify";
import type { Registry } from "prom-client";
import { failure, messageOf } from "../core/errors.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Service } from "../lifecycle/service.ts";

export interface ProbeOptions {
  host: string;
  port: number;
  isAlive: () => boolean;
  /** Rejects while the process cannot work. */
  checkReady: () => Promise<void>;
  metrics: Registry;
  log: Logger;
}

/** Errors of start: invalid_configuration, when the port cannot be had. */
export function createProbeService({ host, port, isAlive, checkReady, metrics, log }: ProbeOptions): Service {
  const app = fastify();
  app.get("/livez", async (_request, reply) => (isAlive() ? "ok" : reply.code(503).send("a loop has stopped running")));
  app.get("/readyz", async (_request, reply) => {
    try {
      await checkReady();
      return "ok";
    } catch (error) {
      log.warn({ err: error }, "not ready");
      return reply.code(503).send("not ready; the log says why");
    }
  });
  app.get("/metrics", async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
  return {
    name: "probes",
    start: async () => {
      try {
        await app.listen({ host, port });
      } catch (error) {
        throw failure(
          "invalid_configuration",
          `WINDLASS_PROBE_PORT: cannot listen on ${host}:${port}: ${messageOf(error)}`,
          {
            cause: error,
          },
        );
      }
    },
    stop: () => app.close(),
  };
}
