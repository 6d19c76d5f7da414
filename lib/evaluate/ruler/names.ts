import { needleTasks } from "./niah.js";

/** The two question sets that RULER hides among other documents. */
export const questionTasks: Readonly<Record<string, "squad" | "hotpotqa">> = { qa_1: "squad", qa_2: "hotpotqa" };

/** RULER's thirteen tasks (arXiv:2404.06654). */
export const rulerTaskNames: readonly string[] = [...Object.keys(needleTasks), "vt", "cwe", "fwe", ...Object.keys(questionTasks)];
