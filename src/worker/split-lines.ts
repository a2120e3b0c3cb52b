// Joins the pieces that code writes to a stream into lines; a line without an end is cut into parts of the longest length.

/** What one stored log line may hold, in UTF-16 units. */
const MAX_LINE_CHARS = 65_536;

export interface LineSplitter {
  write(text: string): void;
  /** Emits what has no line end yet. */
  flush(): void;
}

export function createLineSplitter(emit: (line: string) => void): LineSplitter {
  let partial = "";

  const emitLine = (line: string) => {
    let rest = line;
    while (rest.length > MAX_LINE_CHARS) {
      const cut = cutBefore(rest);
      emit(rest.slice(0, cut));
      rest = rest.slice(cut);
    }
    emit(rest);
  };

  return {
    write: (text) => {
      const pieces = text.split("\n");
      const last = pieces.pop() ?? "";
      for (const piece of pieces) {
        const line = partial + piece;
        partial = "";
        emitLine(line.endsWith("\r") ? line.slice(0, -1) : line);
      }
      partial += last;
      while (partial.length > MAX_LINE_CHARS) {
        const cut = cutBefore(partial);
        emit(partial.slice(0, cut));
        partial = partial.slice(cut);
      }
    },
    flush: () => {
      if (partial === "") return;
      const line = partial;
      partial = "";
      emitLine(line);
    },
  };
}

/** Never between the halves of a surrogate pair. */
function cutBefore(text: string): number {
  const last = text.charCodeAt(MAX_LINE_CHARS - 1);
  return last >= 0xd800 && last <= 0xdbff ? MAX_LINE_CHARS - 1 : MAX_LINE_CHARS;
}
