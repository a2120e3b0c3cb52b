// Cuts a stream of bytes at newlines. Bytes, not text: a chunk may end inside a character.

const NEWLINE = 10;

export interface LineSplitter {
  /** The lines that `chunk` completes, without blank ones. */
  push(chunk: Buffer): string[];
  /** Bytes of a line that has not ended. */
  pending(): number;
}

export function createLineSplitter(): LineSplitter {
  let parts: Buffer[] = [];
  let held = 0;
  return {
    pending: () => held,
    push: (chunk) => {
      const lines: string[] = [];
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        const rest = chunk.subarray(start, end);
        const line = held === 0 ? rest.toString("utf8") : Buffer.concat([...parts, rest]).toString("utf8");
        parts = [];
        held = 0;
        if (line.trim() !== "") lines.push(line);
        start = end + 1;
      }
      if (start < chunk.length) {
        parts.push(chunk.subarray(start));
        held += chunk.length - start;
      }
      return lines;
    },
  };
}
