// A file that a task left: plain JSON that names it, small enough for any edge. The bytes are in the object store.

export interface Artifact {
  artifact_id: string;
  name: string;
  media_type: string;
  /** Bytes. */
  size: number;
}

export const DEFAULT_MEDIA_TYPE = "application/octet-stream";
