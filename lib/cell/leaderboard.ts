import type { Leaderboard } from "../evaluate/leaderboard.js";
import type { CurveAxis } from "../report/leaderboard.js";
import type { Figure } from "../report/figure.js";
import type { LeaderboardRow } from "../evaluate/leaderboard.js";
import { shownTable, type ShownTable } from "../report/views/table.js";
import { shown, type Shown } from "../report/views/view.js";

/** A leaderboard that shows itself; `curve` draws quality against what it costs. */
export type ShownLeaderboard = ShownTable<LeaderboardRow> & { readonly board: Leaderboard; curve(axis?: CurveAxis): Shown<Figure> };

/**
 * Methods, budgets and tasks in one table, from what `sdtp evaluate` or the cells' `file` option wrote; one table a model and protocol.
 * @param path a folder of results, or a file
 * @throws where there are no results, or none of the unpruned model on the same prompts
 * @example
 * const [board] = await sdtp.leaderboard("results/evaluate");
 * sdtp.frame(board); board.curve("bytes")
 */
export async function leaderboard(path = "results/evaluate"): Promise<ShownLeaderboard[]> {
  const [{ leaderboards, readEvaluations }, { leaderboardCurve, leaderboardTable }] = await Promise.all([import("../evaluate/leaderboard.js"), import("../report/leaderboard.js")]);
  return leaderboards(await readEvaluations(path)).map((board) => Object.defineProperties(shownTable(leaderboardTable(board)), {
    board: { value: board },
    curve: {
      value: (axis: CurveAxis = "time") => {
        const figure = leaderboardCurve(board, axis);
        return shown(figure, { title: (figure.layout["title"] as { text: string }).text, text: board.rows.map(({ label, average }) => `${label}: ${average?.toFixed(3) ?? "-"}`).join("\n"), figure });
      },
    },
  }) as ShownLeaderboard);
}
