// Plots that lose no peak: each line is the band between minimum and maximum of its buckets.
import uPlot from "uplot";
import { color, light } from "./colors";
import { h, text } from "./dom";
import type { Channel, Hello, Plots, Spectrum } from "./messages";

const KEPT = 3000;
const POINTS = 500;
const WINDOWS = [5, 15, 60];
// A tool that stands still shall not fill its plot with the last digit of its encoders.
const LEAST_SPAN: Record<string, number> = { mm: 0.1, N: 0.1 };
const LINES = ["line-1", "line-2", "line-3", "line-4"];

interface Chart {
  title: string;
  channels: number[];
  plot: uPlot;
}

export class PlotPanel {
  private lows: Float64Array[] = [];
  private highs: Float64Array[] = [];
  private first = 0;
  private length = 0;
  private bucket = 0.02;
  private channels: Channel[] = [];
  private charts: Chart[] = [];
  private spectrum: uPlot | null = null;
  private paused = false;
  private window = 15;
  private axis = "x";
  private pair = 0;
  private shut = innerHeight < 700;
  private drawn = 0;
  private pauseButton = h("button", { id: "pause-plots", "aria-pressed": "false" }, "Pause");
  private folded = h("button", { id: "fold", "aria-expanded": "true" }, "Plots");

  constructor(tools: HTMLElement, private root: HTMLElement, private section: HTMLElement) {
    const windows = h("select", { "aria-label": "window" }, ...WINDOWS.map((s) => h("option", { value: String(s), selected: s === this.window }, `${s} s`)));
    windows.onchange = () => { this.window = Number(windows.value); this.draw(true); };
    const axis = h("select", { "aria-label": "axis", id: "axis" }, ...["x", "y", "z"].map((a) => h("option", { value: a }, `axis ${a}`)));
    axis.onchange = () => { this.axis = axis.value; this.build(); };
    this.pauseButton.onclick = () => {
      this.paused = !this.paused;
      this.pauseButton.setAttribute("aria-pressed", String(this.paused));
      text(this.pauseButton, this.paused ? "Go on" : "Pause");
    };
    this.folded.onclick = () => this.fold(!this.shut);
    tools.append(this.folded, this.pauseButton, windows, axis);
    light.addEventListener("change", () => this.build());
    new ResizeObserver(() => this.resize()).observe(root);
    this.fold(this.shut);
  }

  private fold(shut: boolean): void {
    this.shut = shut;
    this.section.classList.toggle("shut", shut);
    this.folded.setAttribute("aria-expanded", String(!shut));
    text(this.folded, shut ? "Show plots" : "Hide plots");
    if (!shut) this.build();
  }

  start(hello: Hello): void {
    this.channels = hello.channels;
    this.bucket = hello.bucket_s;
    this.lows = hello.channels.map(() => new Float64Array(KEPT).fill(NaN));
    this.highs = hello.channels.map(() => new Float64Array(KEPT).fill(NaN));
    this.length = this.first = 0;
    this.build();
  }

  add(plots: Plots): void {
    if (this.paused) return;
    if (plots.first > this.first + this.length) this.length = 0;
    if (this.length === 0) this.first = plots.first;
    for (const row of plots.rows) {
      if (this.length === KEPT) {
        for (const data of [...this.lows, ...this.highs]) data.copyWithin(0, 1);
        this.length--;
        this.first++;
      }
      for (let k = 0; k < this.channels.length; k++) {
        this.lows[k][this.length] = row[2 * k] ?? NaN;
        this.highs[k][this.length] = row[2 * k + 1] ?? NaN;
      }
      this.length++;
    }
    this.draw(false);
  }

  addSpectrum(s: Spectrum): void {
    if (this.paused || this.shut || s.pair !== this.pair || !this.spectrum) return;
    this.spectrum.setData([s.raw_um.map((_, i) => i * s.step_hz), s.raw_um, s.filtered_um]);
  }

  private options(title: string, unit: string, names: string[]): uPlot.Options {
    const grid = { stroke: color("plot-grid"), width: 1 };
    const room = (_u: uPlot, labels: string[] | null): number => Math.max(42, 18 + 6.5 * Math.max(0, ...(labels ?? []).map((l) => l.length)));
    const axis = { stroke: color("ink-2"), grid, ticks: grid, font: "11px system-ui", size: room };
    const least = LEAST_SPAN[unit] ?? 0;
    const range = (_u: uPlot, lo: number | null, hi: number | null): uPlot.Range.MinMax => {
      if (lo === null || hi === null) return [0, 1];
      return hi - lo < least ? [(lo + hi - least) / 2, (lo + hi + least) / 2] : uPlot.rangeNum(lo, hi, 0.1, true);
    };
    const series: uPlot.Series[] = [{ value: (_u, v) => (v === null ? "" : `${v.toFixed(2)} s`) }];
    const bands: uPlot.Band[] = [];
    names.forEach((name, i) => {
      const stroke = color(LINES[i]);
      const show = (_u: uPlot, v: number | null): string => (v === null || Number.isNaN(v) ? "–" : `${v.toFixed(2)} ${unit}`);
      series.push({ label: name, stroke, width: 1.2, value: show, dash: i === 1 ? [5, 3] : undefined, points: { show: false } });
      series.push({ label: "", stroke, width: 1.2, value: () => "", dash: i === 1 ? [5, 3] : undefined, points: { show: false } });
      bands.push({ series: [2 * i + 2, 2 * i + 1], fill: `${stroke}55` });
    });
    return {
      title: `${title}, ${unit}`,
      width: 300, height: 150, series, bands,
      cursor: { sync: { key: "time" }, drag: { x: false, y: false } },
      scales: { x: { time: false }, y: { range } },
      legend: { live: true },
      axes: [{ ...axis, size: 26, values: (_u, ticks) => ticks.map((t) => `${t}`) }, axis],
    };
  }

  private build(): void {
    for (const chart of this.charts) chart.plot.destroy();
    this.spectrum?.destroy();
    this.spectrum = null;
    this.charts = [];
    this.root.replaceChildren();
    if (this.shut || !this.channels.length) return;
    const groups = [...new Set(this.channels.map((c) => c.group))];
    for (const group of groups) {
      const channels = this.channels.map((c, i) => ({ c, i })).filter(({ c }) => c.pair === this.pair && c.group === group && (!/ [xyz]$/.test(c.name) || c.name.endsWith(` ${this.axis}`)));
      const box = h("div", { class: "chart", "data-group": group });
      this.root.append(box);
      const plot = new uPlot(this.options(group, channels[0].c.unit, channels.map(({ c }) => c.name)), undefined, box);
      this.charts.push({ title: group, channels: channels.map(({ i }) => i), plot });
      if (group === "Hand at the tip") this.root.append(this.buildSpectrum());
    }
    this.resize();
    this.draw(true);
  }

  private buildSpectrum(): HTMLElement {
    const box = h("div", { class: "chart", "data-group": "Spectrum" });
    const options = this.options("Spectrum of the hand", "µm", []);
    options.cursor = { drag: { x: false, y: false } };
    options.series = [
      { label: "Hz", value: (_u, v) => (v === null ? "" : `${v.toFixed(1)} Hz`) },
      { label: "raw", stroke: color(LINES[0]), width: 1.2, points: { show: false }, value: (_u, v) => (v === null ? "–" : `${v.toFixed(1)} µm`) },
      { label: "filtered", stroke: color(LINES[1]), width: 1.4, dash: [5, 3], points: { show: false }, value: (_u, v) => (v === null ? "–" : `${v.toFixed(1)} µm`) },
    ];
    options.bands = [];
    options.scales = { x: { time: false }, y: { distr: 3, range: (_u, _lo, hi) => [0.1, Math.max(10, hi || 10)] } };
    this.spectrum = new uPlot(options, [[], [], []], box);
    return box;
  }

  private resize(): void {
    const boxes = [...this.root.children] as HTMLElement[];
    const plots = new Map([...this.charts.map((c) => c.plot), ...(this.spectrum ? [this.spectrum] : [])].map((p) => [p.root.parentElement, p]));
    for (const box of boxes) {
      const plot = plots.get(box);
      const width = box.clientWidth;
      if (plot && width > 40) plot.setSize({ width, height: Math.max(90, box.clientHeight - 46) });
    }
  }

  private draw(now: boolean): void {
    const at = performance.now();
    if (this.shut || (!now && at - this.drawn < 95)) return;
    this.drawn = at;
    const shown = Math.min(this.length, Math.round(this.window / this.bucket));
    const from = this.length - shown;
    const step = Math.max(1, Math.ceil(shown / POINTS));
    // Merge on a raster that moves with the data, so that peaks do not flicker.
    const start = from - ((this.first + from) % step);
    const times: number[] = [];
    for (let i = start; i < this.length; i += step) times.push((i - this.length) * this.bucket);
    for (const chart of this.charts) {
      const data: (number | null)[][] = [];
      for (const k of chart.channels) {
        const low: (number | null)[] = [];
        const high: (number | null)[] = [];
        for (let i = start; i < this.length; i += step) {
          let lo = Infinity;
          let hi = -Infinity;
          for (let j = Math.max(0, i); j < Math.min(i + step, this.length); j++) {
            if (this.lows[k][j] < lo) lo = this.lows[k][j];
            if (this.highs[k][j] > hi) hi = this.highs[k][j];
          }
          low.push(lo <= hi ? lo : null);
          high.push(lo <= hi ? hi : null);
        }
        data.push(low, high);
      }
      chart.plot.setData([times, ...data] as uPlot.AlignedData);
    }
  }
}
