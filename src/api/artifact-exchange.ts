// Files of tasks on their way between worker and object store. Bytes stream through; a file exists once it is whole.

import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { z } from "zod";
import { artifactPath, artifactUpload } from "../contract/rest-artifacts.ts";
import type { Artifact } from "../core/artifact.ts";
import { failure } from "../core/errors.ts";
import type { Bytes } from "../core/object-store.ts";
import { beginUpload, completeUpload, findArtifactForAttempt } from "../store/artifacts.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { verifyAttempt } from "./verify-attempt.ts";

const OCTETS = "application/octet-stream";

export function addArtifactExchange(app: ApiServer, { db, clock, objects, executionTokens }: ApiOptions): void {
  const hide = true;
  // Handed on as it comes: parsing would hold it in memory.
  app.addContentTypeParser(OCTETS, (_request, payload: IncomingMessage, done) => done(null, payload));

  app.put(
    "/attempts/:attempt_id/artifacts/:artifact_id",
    { schema: { hide, params: artifactPath, querystring: artifactUpload, body: z.custom<IncomingMessage>() } },
    async (request, reply): Promise<Artifact> => {
      const { attempt_id, artifact_id } = request.params;
      const attempt = await verifyAttempt(executionTokens, request, attempt_id, "execution");
      const owner = await beginUpload(db, attempt, artifact_id, clock.now());
      const counted = countBytes(request.body, Number(request.headers["content-length"]));
      await objects.put(owner.object_key, counted.bytes);
      const { name, media_type } = request.query;
      const artifact = { artifact_id, name, media_type, size: counted.size() };
      await completeUpload(db, { ...artifact, ...owner, attempt_id }, clock.now());
      return reply.code(201).send(artifact);
    },
  );

  app.get(
    "/attempts/:attempt_id/artifacts/:artifact_id",
    { schema: { hide, params: artifactPath } },
    async (request, reply) => {
      const { attempt_id, artifact_id } = request.params;
      await verifyAttempt(executionTokens, request, attempt_id, "execution");
      const found = await findArtifactForAttempt(db, attempt_id, artifact_id);
      const bytes = await objects.get(found.object_key);
      return reply
        .header("content-length", found.size)
        .type(OCTETS)
        .send(Readable.from(bytes, { objectMode: false }));
    },
  );
}

/** A body that ends before its announced length is a broken upload, and must not become a file. */
function countBytes(body: Bytes, announced: number): { bytes: Bytes; size: () => number } {
  let size = 0;
  async function* count(): Bytes {
    for await (const chunk of body) {
      size += chunk.length;
      yield chunk;
    }
    if (size !== announced) {
      throw failure("invalid_request", `the upload has ${size} bytes, its content-length says ${announced}`);
    }
  }
  return { bytes: count(), size: () => size };
}
