// What tasks do with files, over whatever carries the bytes: the execution API in a pod, a folder in `dags test`.

import { type Artifact, DEFAULT_MEDIA_TYPE } from "../core/artifact.ts";
import type { ArtifactContent, Artifacts } from "../sdk/artifacts.ts";

export interface ArtifactTransport {
  /** @param open called anew for each repeat */
  upload(
    file: { name: string; media_type: string; size: number },
    open: () => AsyncIterable<Uint8Array>,
  ): Promise<Artifact>;
  download(artifactId: string): Promise<AsyncIterable<Uint8Array>>;
}

/** Node's modules are loaded by tasks that use files: others start faster without. */
const fs = () => process.getBuiltinModule("node:fs");
const consumers = () => process.getBuiltinModule("node:stream/consumers");
const pipeline = () => process.getBuiltinModule("node:stream/promises").pipeline;

export function createArtifacts(transport: ArtifactTransport): Artifacts {
  const open = (artifact: Artifact) => transport.download(artifact.artifact_id);
  return {
    write: async (name, content, { mediaType = DEFAULT_MEDIA_TYPE } = {}) => {
      const source = await makeReadable(content);
      try {
        return await transport.upload({ name, media_type: mediaType, size: source.size }, source.open);
      } finally {
        await source.dispose();
      }
    },
    open,
    text: async (artifact) =>
      consumers().text(process.getBuiltinModule("node:stream").Readable.from(await open(artifact))),
    save: async (artifact, path) => pipeline()(await open(artifact), fs().createWriteStream(path)),
  };
}

interface Source {
  size: number;
  open: () => AsyncIterable<Uint8Array>;
  dispose: () => Promise<void>;
}

async function makeReadable(content: ArtifactContent): Promise<Source> {
  const keep = async () => {};
  if (typeof content === "string" || content instanceof Uint8Array) {
    const bytes = Buffer.from(content);
    return { size: bytes.length, open: () => once(bytes), dispose: keep };
  }
  if ("path" in content) {
    const { path } = content;
    const { size } = await fs().promises.stat(path);
    return { size, open: () => fs().createReadStream(path), dispose: keep };
  }
  // Its length must be known before it is sent, and a repeat has to read it again.
  const folder = await fs().promises.mkdtemp(`${process.getBuiltinModule("node:os").tmpdir()}/windlass-artifact-`);
  const dispose = () => fs().promises.rm(folder, { recursive: true, force: true });
  try {
    const path = `${folder}/content`;
    await pipeline()(content, fs().createWriteStream(path));
    return { ...(await makeReadable({ path })), dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
