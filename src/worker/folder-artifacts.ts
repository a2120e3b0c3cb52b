// Files in a folder of this machine, for runs without an API.

import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ArtifactTransport } from "./artifacts.ts";

export function createFolderArtifacts(folder: string): ArtifactTransport {
  const pathOf = (artifactId: string) => join(folder, artifactId);
  return {
    upload: async (file, open) => {
      const artifact_id = randomUUID();
      await pipeline(open(), createWriteStream(pathOf(artifact_id)));
      return { artifact_id, ...file };
    },
    download: async (artifactId) => {
      await access(pathOf(artifactId));
      return createReadStream(pathOf(artifactId));
    },
  };
}
