import { fileIdentity } from "../checkpoint/file-identity.js";
import type { StoredTensor } from "../checkpoint/types.js";

/** The files of a model as they were when it was loaded: graphs are built later, and must not be of others. */
export class UnchangedFiles {
  private readonly files: ReadonlyMap<string, string | null>;

  constructor(tensors: Iterable<StoredTensor>) {
    const files = new Set([...tensors].map(({ file }) => file));
    this.files = new Map([...files].map((file) => [file, identityIfThere(file)]));
  }

  /** @throws where one was replaced, written to or removed since */
  check(): void {
    for (const [file, before] of this.files) {
      const now = identityIfThere(file);
      if (now !== before) throw new Error(`${file}: ${now === null ? "is gone" : "was changed"} since the model was loaded (load the model anew)`);
    }
  }
}

function identityIfThere(file: string): string | null {
  try {
    return fileIdentity(file);
  } catch {
    return null;
  }
}
