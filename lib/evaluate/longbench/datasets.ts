import { classification, codeSimilarity, counting, f1, passage, rougeL, type Metric } from "./metrics.js";

/** How LongBench (Bai et al., arXiv:2308.14508) puts a data set to a model and grades the answer. */
export interface Dataset {
  /** The prompt: `{context}` and `{input}` are filled in. */
  readonly template: string;
  /** Tokens to generate. */
  readonly maxNewTokens: number;
  readonly metric: Metric;
  /** Only the first line of the answer counts: the prompt has examples, and models go on with more of them. */
  readonly firstLine?: boolean;
  /** Even a chat model gets the prompt as it is: it ends in the middle of examples or of code. */
  readonly plain?: boolean;
  /** A line end ends the answer, too, once there is a token. */
  readonly stopsAtLine?: boolean;
}

const passages = "Answer the question based on the given passages. Only give me the answer and do not output any other words.";
const asked = (text: string) => `${text}\n\nThe following are given passages.\n{context}\n\n${text}\n\nQuestion: {input}\nAnswer:`;
// "asconcisely" is what LongBench puts to every model.
const story = "Answer the question asconcisely as you can, using a single phrase if possible. Do not provide any explanation.";
const article =
  'as concisely as you can, using a single phrase or sentence if possible. If the question cannot be answered based on the information in the article, write "unanswerable". ' +
  'If the question is a yes/no question, answer "yes", "no", or "unanswerable". Do not provide any explanation.';

/** English and code; the Chinese ones need a word segmentation of their own. Templates and lengths are LongBench's, word for word. */
export const datasets: Readonly<Record<string, Dataset>> = {
  narrativeqa: {
    template: `You are given a story, which can be either a novel or a movie script, and a question. ${story}\n\nStory: {context}\n\nNow, answer the question based on the story asconcisely as you can, using a single phrase if possible. Do not provide any explanation.\n\nQuestion: {input}\n\nAnswer:`,
    maxNewTokens: 128, metric: f1,
  },
  qasper: {
    template: `You are given a scientific article and a question. Answer the question ${article}\n\nArticle: {context}\n\n Answer the question based on the above article ${article}\n\nQuestion: {input}\n\nAnswer:`,
    maxNewTokens: 128, metric: f1,
  },
  multifieldqa_en: {
    template: "Read the following text and answer briefly.\n\n{context}\n\nNow, answer the following question based on the above text, only give me the answer and do not output any other words.\n\nQuestion: {input}\nAnswer:",
    maxNewTokens: 64, metric: f1,
  },
  hotpotqa: { template: asked(passages), maxNewTokens: 32, metric: f1 },
  "2wikimqa": { template: asked(passages), maxNewTokens: 32, metric: f1 },
  musique: { template: asked(passages), maxNewTokens: 32, metric: f1 },
  gov_report: {
    template: "You are given a report by a government agency. Write a one-page summary of the report.\n\nReport:\n{context}\n\nNow, write a one-page summary of the report.\n\nSummary:",
    maxNewTokens: 512, metric: rougeL,
  },
  qmsum: {
    template: "You are given a meeting transcript and a query containing a question or instruction. Answer the query in one or more sentences.\n\nTranscript:\n{context}\n\nNow, answer the query based on the above meeting transcript in one or more sentences.\n\nQuery: {input}\nAnswer:",
    maxNewTokens: 512, metric: rougeL,
  },
  multi_news: {
    template: "You are given several news passages. Write a one-page summary of all news. \n\nNews:\n{context}\n\nNow, write a one-page summary of all the news.\n\nSummary:",
    maxNewTokens: 512, metric: rougeL,
  },
  trec: {
    template: "Please determine the type of the question below. Here are some examples of questions.\n\n{context}\n{input}",
    maxNewTokens: 64, metric: classification, firstLine: true, plain: true,
  },
  triviaqa: {
    template: "Answer the question based on the given passage. Only give me the answer and do not output any other words. The following are some examples.\n\n{context}\n\n{input}",
    maxNewTokens: 32, metric: f1, firstLine: true, plain: true,
  },
  samsum: {
    template: "Summarize the dialogue into a few short sentences. The following are some examples.\n\n{context}\n\n{input}",
    maxNewTokens: 128, metric: rougeL, firstLine: true, plain: true, stopsAtLine: true,
  },
  passage_count: {
    template: "There are some paragraphs below sourced from Wikipedia. Some of them may be duplicates. Please carefully read these paragraphs and determine how many unique paragraphs there are after removing duplicates. In other words, how many non-repeating paragraphs are there in total?\n\n{context}\n\nPlease enter the final count of unique paragraphs after removing duplicates. The output format should only contain the number, such as 1, 2, 3, and so on.\n\nThe final answer is: ",
    maxNewTokens: 32, metric: counting,
  },
  passage_retrieval_en: {
    template: 'Here are 30 paragraphs from Wikipedia, along with an abstract. Please determine which paragraph the abstract is from.\n\n{context}\n\nThe following is an abstract.\n\n{input}\n\nPlease enter the number of the paragraph that the abstract is from. The answer format must be like "Paragraph 1", "Paragraph 2", etc.\n\nThe answer is: ',
    maxNewTokens: 32, metric: passage,
  },
  lcc: { template: "Please complete the code given below. \n{context}Next line of code:\n", maxNewTokens: 64, metric: codeSimilarity, plain: true },
  "repobench-p": { template: "Please complete the code given below. \n{context}{input}Next line of code:\n", maxNewTokens: 64, metric: codeSimilarity, plain: true },
};

/** @throws on a name that is not known */
export function datasetNamed(name: string): Dataset {
  // LongBench-E's files bear the same names with _e.
  const found = datasets[name.replace(/_e$/, "")];
  if (!found) throw new Error(`longbench data set: ${name} (known: ${Object.keys(datasets).join(", ")})`);
  return found;
}

/** The prompt of a line. A function as replacement: `$` in a text is no pattern. */
export function fill({ template }: Dataset, context: string, input: string): string {
  return template.replace(/\{(context|input)\}/g, (_, field: string) => (field === "context" ? context : input));
}
