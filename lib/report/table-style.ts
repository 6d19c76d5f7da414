/** One look for all tables, on light and dark: borders in a grey that shows on both, colours the page's own. */
export const tableStyle =
  "<style>.sdtp-table{border-collapse:collapse;font-size:13px;margin:.5em 0;font-variant-numeric:tabular-nums}.sdtp-table td,.sdtp-table th{padding:3px 10px;text-align:right;border:0;border-bottom:1px solid #8886;white-space:nowrap;background:none}" +
  ".sdtp-table thead th{border-bottom:2px solid #8888;white-space:normal;vertical-align:bottom}.sdtp-table .l{text-align:left}.sdtp-table caption{text-align:left;font-weight:600;padding:3px 0}.sdtp-table caption,.sdtp-note{color:inherit}.sdtp-note{font-size:13px;opacity:.8;margin:.3em 0}</style>";
