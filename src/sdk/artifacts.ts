// Files of tasks: what does not fit into a result, or is not JSON. Types only; the worker brings the implementation.

import type { Artifact } from "../core/artifact.ts";

export interface Artifacts {
  /**
   * Stores a file; what it returns is JSON, to be returned by the task or put into its result. Streams and files of any
   * size are sent as they are read.
   * @param name what people see; no slashes
   */
  write(name: string, content: ArtifactContent, options?: { mediaType?: string }): Promise<Artifact>;
  /** The bytes as a stream. Rejects when the file's run was deleted. */
  open(artifact: Artifact): Promise<AsyncIterable<Uint8Array>>;
  text(artifact: Artifact): Promise<string>;
  /** Writes the bytes to a file of this machine. */
  save(artifact: Artifact, path: string): Promise<void>;
}

/** Text, bytes, a stream of bytes, or a file of this machine. */
export type ArtifactContent = string | Uint8Array | AsyncIterable<Uint8Array> | { readonly path: string };
