// For the machine that runs us: /livez says that the process answers and touches nothing else, so that a database's fault
// never restarts it; /readyz says that it can serve, and asks the database; /metrics is for Prometheus.

import type { ApiOptions, ApiServer } from "./api-server.ts";
import { determineProblem, sendProblem } from "./problem.ts";

export function addProbeRoutes(app: ApiServer, { checkSchema, metrics }: ApiOptions): void {
  const schema = { hide: true };
  app.get("/livez", { schema }, async (_request, reply) => reply.type("text/plain").send("ok\n"));

  app.get("/readyz", { schema }, async (request, reply) => {
    try {
      await checkSchema();
    } catch (error) {
      // Not ready is always 503, whatever the cause; the answer and the log name it.
      request.log.warn({ err: error }, "not ready");
      const { code, detail, errors } = determineProblem(error);
      return sendProblem(request, reply, { code, status: 503, detail, errors });
    }
    return reply.type("text/plain").send("ok\n");
  });

  app.get("/metrics", { schema }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  );
}
