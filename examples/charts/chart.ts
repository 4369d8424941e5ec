/** From a chart's options to a picture, without a browser. */
import { type EChartsOption, init } from "echarts";

/** A chart: Apache ECharts' options, and the size that they are laid out for, in pixels. */
export interface Chart {
  /** What the picture shows, for readers who cannot see it. */
  readonly title: string;
  readonly option: EChartsOption;
  readonly width: number;
  readonly height: number;
}

/** The colours that all charts share: rising, falling, one line, what stands behind. */
export const COLOURS = { up: "#26a69a", down: "#ef5350", line: "#1f5fa8", muted: "#b0bec5", text: "#37474f" } as const;

/** Where titles stand, in every chart. */
export function titleOf(text: string, subtext: string): NonNullable<EChartsOption["title"]> {
  return { text, subtext, left: 16, top: 10, textStyle: { fontSize: 16 }, subtextStyle: { color: COLOURS.text } };
}

/** The chart as one SVG document. */
export function svgOf({ option, width, height }: Chart): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({ backgroundColor: "#ffffff", animation: false, ...option });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** The chart for the end of a notebook's cell: Deno's kernel asks an object by this symbol how it is shown. */
export function shown(chart: Chart): Record<symbol, () => Record<string, string>> {
  return { [Symbol.for("Jupyter.display")]: () => ({ "image/svg+xml": svgOf(chart), "text/plain": chart.title }) };
}
