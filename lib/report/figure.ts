/** A trace or a layout as Plotly takes it. Its own types are not named here: reading them would hold up a notebook's first cell. */
export interface Attributes {
  readonly [name: string]: any;
}

/** A Plotly figure as plain values: `Plotly.newPlot(element, figure.data, figure.layout)`. */
export interface Figure {
  readonly data: readonly Attributes[];
  readonly layout: Attributes;
}
