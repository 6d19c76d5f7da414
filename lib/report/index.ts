export { kvBytesChart, latencyChart, qualityChart, speedupChart, type Figure, type QualityChartOptions, type QualityPoint } from "./charts.js";
export { formatOf, formats, toCsv, toHtml, toJsonLines, toLatex, toMarkdown, type Format } from "./formats/index.js";
export { lengthLabel, methodLabel } from "./label.js";
export { published, type Published, type PublishedName } from "./published.js";
export { records, texts, type Column, type Table, type Value } from "./table.js";
export { conditions, table2, type ColumnSet, type Source, type Table2Options, type Table2Row } from "./table2.js";
export { endToEndLines, prefillLines, verification } from "./verification.js";
