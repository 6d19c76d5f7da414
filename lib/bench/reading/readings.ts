import type { Card } from "../../runtime/devices/nvidia-smi.js";
import type { Provider } from "../../runtime/session.js";
import type { Measured } from "../job.js";
import type { DeviceRecord } from "../record.js";
import { counted, type CounterSample, integrate, mean, type PowerSample, type Span, within } from "./energy.js";

/** A card at a moment. What it does not say is null. */
export interface CardSample {
  readonly at: number;
  readonly watts: number | null;
  /** Bytes in use by anyone. */
  readonly usedBytes: number | null;
  /** Percent of the time that any kernel ran. */
  readonly utilization: number | null;
  /** MHz. */
  readonly smClock: number | null;
  readonly memoryClock: number | null;
}

/** What one process holds of a card's memory. */
export interface ProcessSample {
  readonly at: number;
  readonly bytes: number;
}

/** When prompts were computed, and when tokens were. */
export interface Spans {
  readonly prefill: readonly Span[];
  readonly decode: readonly Span[];
  /** Tokens decoded in all spans together. */
  readonly tokens: number;
}

/** Of fewer samples than this, power says nothing: cards give its mean over a tenth of a second to a second. */
const FEWEST = 5;

/** What a meter read. */
export class DeviceReadings {
  private constructor(
    private readonly source: DeviceRecord["source"],
    private readonly counters: readonly CounterSample[],
    private readonly samples: readonly CardSample[],
    private readonly processes: readonly ProcessSample[],
    private readonly missing: readonly string[],
    private readonly card: Card | null,
  ) {}

  static nothing(problem: string): DeviceReadings {
    return new DeviceReadings(null, [], [], [], [problem], null);
  }

  static ofProcessors(counters: readonly CounterSample[]): DeviceReadings {
    return new DeviceReadings("RAPL", counters, [], [], [], null);
  }

  static ofCard({ card, samples, processes, missing }: { card: Card; samples: readonly CardSample[]; processes: readonly ProcessSample[]; missing: readonly string[] }): DeviceReadings {
    return new DeviceReadings("nvidia-smi", [], [...samples].sort((a, b) => a.at - b.at), processes, missing, card);
  }

  /** What a record says of the device over these spans. Where a figure is null, `missing` says why. */
  record(spans: Spans): DeviceRecord {
    const missing = [...this.missing];
    const energy = (noun: string, parts: readonly Span[]): number | null => {
      if (parts.length === 0 || this.source === null) return null;
      const joules = this.source === "RAPL" ? parts.map((part) => counted(this.counters, part)) : this.integrated(noun, parts, missing);
      return joules && joules.every((each) => each !== null) ? joules.reduce<number>((sum, each) => sum + each!, 0) : null;
    };
    const [prompts, tokens] = [energy("a prompt", spans.prefill), energy("a token", spans.decode)];
    const all = [...spans.prefill, ...spans.decode];
    const during = all.flatMap((span) => within(this.samples, span));
    const of = (value: (sample: CardSample) => number | null) => mean(during.map(value).filter((each) => each !== null));
    const joules = (prompts ?? 0) + (tokens ?? 0);
    const seconds = all.reduce((sum, [from, to]) => sum + (to - from) / 1e3, 0);
    const whole = prompts !== null && (spans.decode.length === 0 || tokens !== null);
    return {
      source: this.source,
      ...(this.card && { card: this.card.name, driver: this.card.driver, mig: this.card.mig }),
      ...this.peak(all),
      energy_per_prompt_joules: prompts === null ? null : prompts / spans.prefill.length,
      energy_per_token_joules: tokens === null || spans.tokens === 0 ? null : tokens / spans.tokens,
      power_watts: whole && seconds > 0 ? joules / seconds : null,
      utilization_percent: of(({ utilization }) => utilization),
      sm_clock_mhz: of(({ smClock }) => smClock),
      memory_clock_mhz: of(({ memoryClock }) => memoryClock),
      samples: this.source === "RAPL" ? this.counters.length : during.length,
      missing,
    };
  }

  private integrated(noun: string, parts: readonly Span[], missing: string[]): (number | null)[] | null {
    const power = this.samples.filter((sample): sample is CardSample & PowerSample => sample.watts !== null);
    if (power.length === 0) {
      if (this.samples.length > 0 && !this.card?.mig) missing.push("the card does not say its power");
      return null;
    }
    const count = parts.reduce((sum, part) => sum + within(power, part).length, 0);
    if (count < FEWEST) {
      missing.push(`energy of ${noun}: ${count} samples of power fell into its runs, too few (${FEWEST} are needed)`);
      return null;
    }
    return parts.map((part) => integrate(power, part));
  }

  /** The most that this process held; where the card's processes cannot be seen (in containers), how much more of the card was in use than when reading began. */
  private peak(spans: readonly Span[]): Pick<DeviceRecord, "peak_device_memory_bytes" | "peak_device_memory_of"> {
    const last = spans.reduce((latest, [, to]) => Math.max(latest, to), -Infinity);
    // Memory that was freed before is another run's: what the runtime keeps, it keeps.
    const own = this.processes.filter(({ at }) => at <= last).map(({ bytes }) => bytes);
    if (own.length > 0) return { peak_device_memory_bytes: Math.max(...own), peak_device_memory_of: "process" };
    const used = this.samples.map(({ usedBytes }) => usedBytes).filter((bytes) => bytes !== null);
    if (used.length < 2) return { peak_device_memory_bytes: null, peak_device_memory_of: null };
    return { peak_device_memory_bytes: used.reduce((most, bytes) => Math.max(most, bytes), 0) - used[0]!, peak_device_memory_of: "card" };
  }
}

/** A measurement with what was read meanwhile. That a CPU shows no counters is the rule, and not worth a word in every record. */
export function withReading(measured: Measured, readings: DeviceReadings, device: Provider = "cpu"): Measured {
  const reading = readings.record(measured.spans);
  return device === "cpu" && reading.source === null ? measured : { ...measured, reading };
}

/** A reading made where others were measured too, with the peak memory of a process of its own. @param alone its reading; undefined: there was none */
export function withPeakOf(reading: DeviceRecord, alone: DeviceRecord | undefined): DeviceRecord {
  const { peak_device_memory_bytes: bytes, peak_device_memory_of: of } = alone ?? { peak_device_memory_bytes: null, peak_device_memory_of: null };
  return { ...reading, peak_device_memory_bytes: bytes, peak_device_memory_of: of };
}
