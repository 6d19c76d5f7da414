import type { Checkpoint } from "../checkpoint/types.js";
import type { Scorer } from "../methods/scorer.js";
import type { PromptModel } from "./run.js";
import { requireSameTokens } from "./speculate.js";

/** What a speculator needs besides what every model is. */
export interface SmallModel extends PromptModel {
  warm(length: number): Promise<void>;
  release(): Promise<void>;
}

/** The smaller models that choose for one model, loaded when first asked and kept. */
export class Speculators {
  private readonly loaded = new Map<string, Promise<SmallModel>>();

  /** @param open loads a model by name */
  constructor(private readonly large: Checkpoint, private readonly open: (name: string) => Promise<SmallModel>) {}

  /** The model that a scorer names. @throws where its tokens are others, or its attention does not do */
  async of({ speculator: name }: Scorer): Promise<SmallModel> {
    const known = this.loaded.get(name!) ?? this.opened(name!);
    this.loaded.set(name!, known);
    return known.catch((error: unknown) => {
      this.loaded.delete(name!);
      throw error;
    });
  }

  async release(): Promise<void> {
    const all = [...this.loaded.values()];
    this.loaded.clear();
    for (const loading of all) await loading.then((model) => model.release(), () => {});
  }

  private async opened(name: string): Promise<SmallModel> {
    const model = await this.open(name);
    await requireSameTokens(model.checkpoint, this.large);
    return model;
  }
}
