/** A chart that says where the replay stands, and goes where it is pressed. */

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Line {
  /** A colour of the page's: `--moss`. */
  colour: string;
  dash: number[];
}

interface Drawn {
  /** What it shows, in a sentence: for those who do not see it. */
  label: string;
  /** Places, and for each line its values there. */
  data: (number | null)[][];
  kind: "steps" | "bars";
  lines: Line[];
  /** Whether places are times. */
  timed: boolean;
  /** The place where the replay stands. */
  at: number;
  onPick: (place: number) => void;
}

const HEIGHT = 140;
const MOST = 1_000_000;
const LIGHT = "(prefers-color-scheme: light)";

export function Chart(props: Drawn) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const { label, data, kind, lines, timed, at } = props;
  const shape = JSON.stringify([kind, timed, lines]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew for another shape alone
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const draw = (): void => {
      chart.current?.destroy();
      const options = optionsOf(element, () => latest.current);
      chart.current = new uPlot(options, latest.current.data as uPlot.AlignedData, element);
    };
    draw();
    const resized = new ResizeObserver(() => {
      // A panel that is not shown has no width, and nothing to draw on.
      if (element.clientWidth > 0) {
        chart.current?.setSize({ width: element.clientWidth, height: HEIGHT });
      }
    });
    resized.observe(element);
    const scheme = matchMedia(LIGHT);
    scheme.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener("change", draw);
      chart.current?.destroy();
      chart.current = null;
    };
  }, [shape]);
  useEffect(() => chart.current?.setData(data as uPlot.AlignedData), [data]);
  useEffect(() => {
    if (chart.current !== null) moveMark(chart.current, at);
  }, [at]);
  return <div className="chart" ref={host} role="img" aria-label={label} />;
}

function optionsOf(element: HTMLElement, props: () => Drawn): uPlot.Options {
  const { kind, lines, timed } = props();
  const [ink, grid] = ["--quiet", "--edge"].map(name => colourOf(element, name));
  const axis = {
    stroke: ink as string,
    font: "12px system-ui, sans-serif",
    grid: { stroke: grid as string, width: 1 },
    ticks: { stroke: grid as string, width: 1 },
  };
  const paths =
    kind === "steps"
      ? uPlot.paths.stepped?.({ align: 1 })
      : uPlot.paths.bars?.({ size: [1, 40], align: 1 });
  return {
    width: Math.max(element.clientWidth, 100),
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: timed, range: (_, low, high) => spread(low, high) }, y: { range: above } },
    axes: [
      { ...axis, size: 28 },
      { ...axis, size: 36 },
    ],
    series: [
      {},
      ...lines.map(({ colour, dash }) => {
        const stroke = colourOf(element, colour);
        const fill = kind === "bars" ? { fill: stroke } : {};
        return { stroke, dash, width: kind === "bars" ? 0 : 2, ...fill, ...drawn(paths) };
      }),
    ],
    hooks: {
      ready: [
        (chart: uPlot) => {
          const mark = document.createElement("div");
          mark.className = "mark";
          chart.over.append(mark);
          chart.over.addEventListener("click", event => {
            props().onPick(chart.posToVal(event.offsetX, "x"));
          });
        },
      ],
      // A mark of its own over the canvas: thousands of points are not drawn anew for each step.
      draw: [(chart: uPlot) => moveMark(chart, props().at)],
    },
  };
}

function moveMark(chart: uPlot, at: number): void {
  const mark = chart.over.querySelector<HTMLElement>(".mark");
  if (mark !== null) mark.style.transform = `translateX(${chart.valToPos(at, "x")}px)`;
}

function drawn(paths: uPlot.Series.PathBuilder | undefined): Partial<uPlot.Series> {
  return { points: { show: false }, ...(paths === undefined ? {} : { paths }) };
}

/** A log of one version, or of one moment, still has room to the left and right. */
function spread(low: number, high: number): [number, number] {
  return low < high ? [low, high] : [low - 1, high + 1];
}

function above(_: uPlot, low: number | null, high: number | null): [number, number] {
  // A number that is none of a game's does not make all others invisible.
  const top = Math.min((high ?? 0) * 1.08, MOST);
  return [Math.max(-MOST, Math.min(0, low ?? 0)), Math.max(1, top)];
}

/** A colour of the page as a canvas takes it, dark or light as the page is. */
function colourOf(element: HTMLElement, name: string): string {
  const before = element.style.color;
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = before;
  return color;
}
