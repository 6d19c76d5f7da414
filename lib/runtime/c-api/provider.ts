import type { Address, Library } from "./library.js";

/** What a provider computes on, in the order of OrtHardwareDeviceType. */
const kinds = ["cpu", "gpu", "npu"] as const;
export type HardwareKind = (typeof kinds)[number];

/** A device that a provider of a plugin's library offers. */
export interface ProviderDevice {
  readonly address: Address;
  /** As sessions name it, such as `OpenVINOExecutionProvider`. */
  readonly provider: string;
  readonly vendor: string;
  /** Null: it does not say. */
  readonly version: string | null;
  readonly kind: HardwareKind;
}

/** A plugin's provider, for a session. */
export interface ChosenProvider {
  /** Path of the plugin's library. */
  readonly file: string;
  /** Which of its providers; default: the first. */
  readonly provider?: string | undefined;
  /** On what; default: the first that there is. */
  readonly kind?: HardwareKind | undefined;
  /** The provider's own, by its names for them. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Record which operators it takes. */
  readonly record?: boolean | undefined;
}

/**
 * Registers a plugin's library with this process's ONNX Runtime, where it is not yet. It stays until the process ends.
 * @param file of the library; it is run
 * @returns the devices that it offers
 * @throws with the reason, in ONNX Runtime's words or the system's: no such file, of another platform, made for another ONNX Runtime
 */
export function registerProvider(library: Library, file: string): ProviderDevice[] {
  const before = new Set(devices(library).map(({ address }) => address));
  const known = ofFile(library, file, before);
  if (known.length > 0) return known;
  try {
    library.call("RegisterExecutionProviderLibrary", library.env, `sdtp ${file}`, nativePath(file));
  } catch (error) {
    // Another thread of this process was first: they share their providers.
    if (!/already/i.test((error as Error).message)) throw error;
  }
  const found = ofFile(library, file, before);
  if (found.length === 0) throw new Error("it offers no device on this machine");
  return found;
}

/** Devices of a file: those that name it, else those that were not there before. */
function ofFile(library: Library, file: string, before: ReadonlySet<Address>): ProviderDevice[] {
  const all = devices(library);
  const named = all.filter(({ address }) => metadata(library, address, "library_path") === file);
  return named.length > 0 ? named : all.filter(({ address }) => !before.has(address));
}

function devices(library: Library): ProviderDevice[] {
  const [found, count] = [new BigUint64Array(1), new BigUint64Array(1)];
  library.call("GetEpDevices", library.env, found, count);
  return addresses(library, found[0]!, count[0]!).map((address) => ({
    address,
    provider: library.ask("EpDevice_EpName", address) as string,
    vendor: library.ask("EpDevice_EpVendor", address) as string,
    version: metadata(library, address, "version"),
    kind: kinds[library.ask("HardwareDevice_Type", library.ask("EpDevice_Device", address) as Address) as number] ?? "cpu",
  }));
}

function metadata(library: Library, device: Address, key: string): string | null {
  const pairs = library.ask("EpDevice_EpMetadata", device) as Address | null;
  return pairs ? (library.ask("GetKeyValue", pairs, key) as string | null) : null;
}

/** The device of a choice. @throws where the library offers none such, with those that it does */
export function chosenDevice(library: Library, { file, provider, kind }: ChosenProvider): ProviderDevice {
  const all = registerProvider(library, file);
  const device = all.find((each) => (provider === undefined || each.provider === provider) && (kind === undefined || each.kind === kind));
  if (!device) throw new Error(`it offers no ${provider ?? "provider"}${kind ? ` on a ${kind}` : ""} (only ${all.map((each) => `${each.provider} on a ${each.kind}`).join(", ")})`);
  return device;
}

/** Makes a session's options take a provider. The CPU stays behind it for what it does not do. */
export function appendProvider(library: Library, options: Address, choice: ChosenProvider): void {
  const device = BigUint64Array.of(chosenDevice(library, choice).address);
  const entries = Object.entries(choice.settings ?? {});
  const texts = entries.flat().map((text) => Buffer.from(`${text}\0`));
  const at = (which: number) => BigUint64Array.from(entries, (_, i) => library.addressOf(texts[2 * i + which]!));
  if (choice.record) library.call("AddSessionConfigEntry", options, "session.record_ep_graph_assignment_info", "1");
  const [keys, values] = [at(0), at(1)];
  library.call("SessionOptionsAppendExecutionProvider_V2", options, library.env, device, 1, entries.length ? keys : 0n, entries.length ? values : 0n, entries.length);
}

/** Operators of a loaded graph by the provider that does them, as ONNX Runtime has parted it. */
export function assignedOperators(library: Library, session: Address): Map<string, string[]> {
  const list = (name: "Session_GetEpGraphAssignmentInfo" | "EpAssignedSubgraph_GetNodes", of: Address): Address[] => {
    const [found, count] = [new BigUint64Array(1), new BigUint64Array(1)];
    library.call(name, of, found, count);
    return addresses(library, found[0]!, count[0]!);
  };
  const all = new Map<string, string[]>();
  for (const part of list("Session_GetEpGraphAssignmentInfo", session)) {
    const provider = library.text(library.make("EpAssignedSubgraph_GetEpName", part));
    const operators = list("EpAssignedSubgraph_GetNodes", part).map((node) => library.text(library.make("EpAssignedNode_GetOperatorType", node)));
    all.set(provider, [...(all.get(provider) ?? []), ...operators]);
  }
  return all;
}

/** An array of addresses that native code has. */
function addresses(library: Library, at: Address, count: bigint): Address[] {
  return count === 0n ? [] : [...new BigUint64Array(library.view(at, Number(count) * 8))];
}

/** A path as the system's functions take it, with its end. */
function nativePath(file: string): Buffer {
  return Buffer.from(`${file}\0`, process.platform === "win32" ? "utf16le" : "utf8");
}
