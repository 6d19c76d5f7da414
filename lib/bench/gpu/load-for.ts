import { load, type Model } from "../../runtime/model.js";
import type { Job } from "../job.js";

/** The model of a job, loaded as the job says. */
export function loadFor({ model, threads, dtype, accuracy, device = "cpu", seed }: Job): Promise<Model> {
  return load(model, { threads, dtype, device, synthetic: { seed }, ...(accuracy && { accuracy }) });
}
