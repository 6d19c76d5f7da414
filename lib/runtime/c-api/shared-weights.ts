import { join } from "node:path";
import { fileIdentity } from "../../checkpoint/file-identity.js";
import type { ExternalWeight } from "../serialized-graph.js";
import type { Address, Library } from "./library.js";
import { mapFile, mapsFiles, type MappedFile } from "./mapped-file.js";

/**
 * Weights of one folder that all sessions of this thread hold together: the files, mapped, and what ONNX Runtime packs of them for the processor,
 * in one container. It puts there only what it packs of weights that a session was given by `AddInitializer`, by the packed bytes themselves, so that
 * kernels which pack alike find each other's. All of it is freed with the last session.
 */
export class SharedWeights {
  private static readonly all = new Map<string, SharedWeights>();
  private sessions = 0;
  private readonly files = new Map<string, MappedFile>();
  /** Weights as ONNX Runtime has them, by place, type and shape. */
  private readonly values = new Map<string, Address>();

  private constructor(
    private readonly library: Library,
    private readonly folder: string,
    private readonly container: Address,
  ) {}

  /** Those of a folder; null where files cannot be mapped. */
  static of(library: Library, folder: string): SharedWeights | null {
    if (!mapsFiles) return null;
    let shared = SharedWeights.all.get(folder);
    if (!shared) SharedWeights.all.set(folder, (shared = new SharedWeights(library, folder, library.make("CreatePrepackedWeightsContainer"))));
    return shared;
  }

  /**
   * Makes a session that holds the weights until `letGo`.
   * @param options of the session: they get the weights @param make is given the container
   * @throws where a file does not hold a weight, or as `make` does
   */
  async hold(options: Address, weights: readonly ExternalWeight[], make: (container: Address) => Promise<Address>): Promise<Address> {
    this.sessions++;
    try {
      const identities = new Map([...new Set(weights.map(({ location }) => join(this.folder, location)))].map((path) => [path, fileIdentity(path)]));
      for (const weight of weights) this.library.call("AddInitializer", options, weight.name, this.value(weight, identities));
      const session = await make(this.container);
      // What kernels multiply is packed by now: the files' own pages are not needed beside it.
      for (const file of this.files.values()) file.giveBack();
      return session;
    } catch (error) {
      this.letGo();
      throw error;
    }
  }

  /** A session is gone. */
  letGo(): void {
    if (--this.sessions > 0) return;
    SharedWeights.all.delete(this.folder);
    for (const value of this.values.values()) this.library.call("ReleaseValue", value);
    this.library.call("ReleasePrepackedWeightsContainer", this.container);
    for (const file of this.files.values()) file.unmap();
  }

  private value({ name, type, dims, location, offset, length }: ExternalWeight, identities: ReadonlyMap<string, string>): Address {
    const path = join(this.folder, location);
    const identity = identities.get(path)!;
    const key = [identity, offset, length, type, ...dims].join(" ");
    let value = this.values.get(key);
    if (value === undefined) {
      const file = this.file(path, identity);
      if (offset + length > file.bytes) throw new Error(`${path}: ${file.bytes} bytes (weight ${name} is at ${offset} to ${offset + length})`);
      value = this.library.make("CreateTensorWithDataAsOrtValue", this.library.memory, file.address + BigInt(offset), length, BigInt64Array.from(dims, BigInt), dims.length, type);
      this.values.set(key, value);
    }
    return value;
  }

  /** A file, mapped once; one that has taken its place is mapped beside it. */
  private file(path: string, identity: string): MappedFile {
    let file = this.files.get(identity);
    if (!file) this.files.set(identity, (file = mapFile(path)));
    return file;
  }
}
