import type { Checked, Problem } from "./check.js";

/** Where an error is: `notebooks/a.ipynb: cell 3, line 2:5`; in a text notebook or a module, `a.ts:17:5`. */
function place({ notebook, cell, file, line, column, fileLine }: Problem): string {
  if (file !== undefined) return `${file}:${line}:${column} (imported by ${notebook}, cell ${cell})`;
  return notebook.endsWith(".ipynb") || fileLine === undefined ? `${notebook}: cell ${cell}, line ${line}:${column}` : `${notebook}:${fileLine}:${column} (cell ${cell})`;
}

/** As compilers print it: the place, the error, the line, a mark below it. */
export function asText(results: Checked[]): string {
  return results.flatMap(({ problems }) => problems).map(problemText).join("\n");
}

export function problemText(problem: Problem): string {
  const { message, code, source, line, endLine, column, endColumn } = problem;
  const [first = "", ...rest] = message.split("\n");
  const head = `${place(problem)} - error TS${code}: ${first}`;
  if (source === undefined) return [head, ...rest].join("\n");
  // Tabs stay, so that the mark stands where it should.
  const indent = source.slice(0, column - 1).replace(/[^\t]/g, " ");
  const width = endLine === line ? Math.max(1, endColumn - column) : Math.max(1, source.length - column + 1);
  return [head, ...rest, `    ${source}`, `    ${indent}${"~".repeat(width)}`].join("\n");
}

/** Annotations of GitHub's workflows. Source: https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions */
export function asGitHub(results: Checked[]): string {
  const value = (text: string) => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  const property = (text: string) => value(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
  return results
    .flatMap(({ problems }) => problems)
    .map(({ notebook, file, cell, line, column, endColumn, endLine, fileLine, code, message }) => {
      const isJson = file === undefined && notebook.endsWith(".ipynb");
      const at = file !== undefined ? line : fileLine;
      const where = [`file=${property(file ?? notebook)}`, ...(at === undefined ? [] : [`line=${at}`]), ...(isJson ? [] : [`col=${column}`, ...(endLine === line ? [`endColumn=${endColumn}`] : [])]), `title=${property(`TS${code}, cell ${cell}, line ${line}`)}`];
      return `::error ${where.join(",")}::${value(message)}`;
    })
    .join("\n");
}
