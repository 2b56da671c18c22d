// Bars and lines over a row of names, drawn by uPlot. What a chart shows stands in a table beside it, so it is a picture to those who cannot see it.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

let library; // uPlot, which is loaded when the first chart is drawn

function load() {
  library ??= new Promise((resolve, reject) => {
    const address = (name) => new URL(`./vendor/${name}`, import.meta.url).href;
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address("uplot.css") });
    const script = Object.assign(document.createElement("script"), { src: address("uplot.js") });
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => { library = undefined; reject(new Error("uplot.js")); };
    document.head.append(sheet, script);
  });
  return library;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** From how many places on the points of a line would hide it. */
const crowded = 48;

/** How a series is drawn: colour of style.css, and a shape, so that no colour need be told from another. */
const shapes = {
  bars: (uPlot, s) => ({ fill: colour(s.colour), width: 0, paths: uPlot.paths.bars({ size: [0.7, 60] }), points: { show: false } }),
  line: (uPlot, s) => ({ width: 2, points: { show: s.values.length <= crowded, size: 6 } }),
  dashes: (uPlot, s) => ({ width: 2, dash: [6, 4], points: { show: s.values.length <= crowded, size: 8 } }),
};

function draw(uPlot, box, { names, series, height }) {
  const axis = { stroke: colour("--text"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const name = (_, splits) => splits.map((i) => (Number.isInteger(i) ? names[i] ?? "" : ""));
  return new uPlot({
    width: box.clientWidth, height,
    legend: { show: false }, cursor: { show: false },
    scales: { x: { time: false, range: [-0.6, names.length - 0.4] }, y: { range: (_, low, high) => [0, Math.max(1, high * 1.05)] } },
    axes: [{ ...axis, grid: { show: false }, incrs: [1, 2, 3, 4, 6, 12, 24, 48, 72, 168], space: 72, values: name }, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000, 50000, 100000] }],
    series: [{}, ...series.map((s) => ({ label: s.label, stroke: colour(s.colour), ...shapes[s.shape](uPlot, s) }))],
  }, [names.map((_, i) => i), ...series.map((s) => s.values)], box);
}

/**
 * A chart with its key. names are those of the places on the x axis; series is a list of {label, values, shape, colour}: shape is bars, line or dashes, colour
 * a variable of style.css.
 */
export function Chart({ label, names, series, height = 260 }) {
  const box = useRef();
  const [uPlot, loaded] = useState(null);
  const [failed, fail] = useState(false);
  const [look, redraw] = useState(0); // counts changes of the colours
  useEffect(() => { load().then((f) => loaded(() => f), () => fail(true)); }, []);
  useEffect(() => {
    const again = () => redraw((n) => n + 1);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const theme = new MutationObserver(again);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    dark.addEventListener("change", again);
    return () => { theme.disconnect(); dark.removeEventListener("change", again); };
  }, []);
  useEffect(() => {
    if (!uPlot) return undefined;
    const plot = draw(uPlot, box.current, { names, series, height });
    const fit = new ResizeObserver(() => plot.setSize({ width: box.current.clientWidth, height }));
    fit.observe(box.current);
    return () => { fit.disconnect(); plot.destroy(); };
  }, [uPlot, look, names, series, height]);
  if (failed) return null; // the table beside it has it all
  return html`<figure class="chart"><div class="plot" ref=${box} style=${{ minHeight: `${height}px` }} role="img" aria-label=${label}></div>
    <figcaption>${series.map((s) => html`<span key=${s.label}><i class=${`key ${s.shape} ${s.colour.slice(2)}`}></i>${s.label}</span>`)}</figcaption></figure>`;
}
