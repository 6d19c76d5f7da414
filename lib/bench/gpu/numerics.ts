import { inFloat32 } from "../../onnx/in-float32.js";
import { openModel } from "../../runtime/open.js";
import { OperatorCheck, wrongOperators } from "../../runtime/devices/operators.js";
import { openHome } from "../../runtime/devices/open.js";
import { hostHome, type Home } from "../../runtime/home.js";
import { Model } from "../../runtime/model.js";
import type { BuiltIn } from "../../runtime/session.js";
import { prompt } from "../prompt.js";
import type { MethodResult, OperatorsResult } from "./tasks.js";

interface Asked {
  readonly device: BuiltIn;
  readonly model: string;
  readonly dtype: string;
  readonly configs: readonly string[];
  readonly length: number;
}

const STEPS = 3;

/** Of the CPU in 16 bits a GPU's graphs as they are, ONNX Runtime putting in what casts the CPU needs. */
async function homeFor(device: BuiltIn, dtype: string): Promise<Home> {
  if (device !== "cpu" || dtype !== "fp16") return openHome(device, { dtype });
  return { ...(await openHome("cpu", { accuracy: "float16" })), load: (g, settings) => hostHome().load(g, settings) };
}

/** Every kind of operator of the graphs that are used, on the same inputs as on the CPU: of prompts by every method, of decode steps, of the loop where there is one. */
export async function checkOperators({ device, model: name, dtype, configs, length }: Asked): Promise<OperatorsResult> {
  const checkpoint = await openModel(name, { dtype });
  const check = new OperatorCheck();
  const { ids } = await prompt(checkpoint, length + STEPS);
  const home = await homeFor(device, dtype);
  // Numbers of 16 bits the CPU has not: it computes in float32 what it is given, and rounds.
  const cpu: Pick<Home, "load"> = { load: (g, settings) => hostHome().load(inFloat32(g), settings) };
  for (const loop of home.loop === null ? [null] : [null, home.loop]) {
    // One method alone has the loop too: its steps are the same for all.
    for (const preset of loop === null ? configs : configs.slice(0, 1)) {
      const model = new Model(checkpoint, { threads: 1 }, check.home({ ...home, loop }, cpu));
      try {
        const run = await model.prefill(ids.slice(0, length), { preset, reserve: STEPS });
        if (loop === null) for (const id of ids.slice(length)) await run.extend([id]);
        else await run.loop(STEPS, []);
        run.dispose();
      } finally {
        await model.release();
      }
    }
  }
  return { operators: check.records, wrong: wrongOperators(check.records) };
}

/** Every method on the device and on the CPU, on the same prompt: tokens that stayed, logits of the prompt and of the steps after it. */
export async function checkMethods({ device, model: name, dtype, configs, length }: Asked): Promise<MethodResult[]> {
  const checkpoint = await openModel(name, { dtype });
  const { ids } = await prompt(checkpoint, length + STEPS);
  const [here, there] = [new Model(checkpoint, {}, hostHome()), new Model(checkpoint, {}, await homeFor(device, dtype))];
  const results: MethodResult[] = [];
  for (const preset of configs) {
    const of = async (model: Model) => {
      const run = await model.prefill(ids.slice(0, length), { preset, reserve: STEPS });
      const logits = [run.logits];
      const kept = new Set<string>();
      // What each layer holds: of methods that cut caches, that is what they chose.
      run.kv.layers.forEach((layer, l) => Array.from({ length: layer.kvHeads }, (_, head) => layer.headPositions(head)).forEach((positions, head) => positions.forEach((position) => kept.add(`${l}.${head}.${position}`))));
      for (const id of ids.slice(length)) logits.push(await run.extend([id]));
      run.dispose();
      return { kept, logits };
    };
    try {
      const [right, found] = [await of(here), await of(there)];
      const same = [...right.kept].filter((place) => found.kept.has(place)).length;
      const kept = same / Math.max(1, right.kept.size);
      const scale = Math.max(...right.logits.map((logits) => logits.reduce((most, x) => Math.max(most, Math.abs(x)), 0)));
      const far = Math.max(...right.logits.map((logits, step) => logits.reduce((most, x, i) => Math.max(most, Math.abs(x - found.logits[step]![i]!)), 0)));
      results.push({ config: preset, kept, logits: kept === 1 ? far / scale : null, error: null });
    } catch (error) {
      results.push({ config: preset, kept: 0, logits: null, error: (error as Error).message });
    }
  }
  await here.release();
  await there.release();
  return results;
}
