// Watch a recording in the scene: a list to choose from, and a bar with play, speed and a time slider.
import "./replay.css";
import type { Connection } from "./connection";
import { h, text, toast } from "./dom";
import type { Hello, RecordingInfo, ReplayState, State } from "./messages";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];
const KEY_STEP_S = 0.01;

export class ReplayPanel {
  private list = h("ul", { class: "recordings" });
  private box = h("details", { class: "block", id: "recordings" }, h("summary", {}, "Recordings"), this.list);
  private button = h("button", { id: "replay-play" });
  private slider = h("input", { type: "range", id: "replay-time", min: "0", step: String(KEY_STEP_S), "aria-label": "time in the recording" });
  private time = h("output");
  private speed = h("select", { id: "replay-speed", "aria-label": "speed" }, ...SPEEDS.map((s) => h("option", { value: String(s) }, `${s} ×`)));
  private name = h("span", { class: "name" });
  private bar = h("div", { id: "replay", hidden: true, role: "group", "aria-label": "recording" },
    this.name, this.button, this.slider, this.time, this.speed, h("button", { id: "replay-end", onclick: () => void this.watch("") }, "Back to live"));
  private now: ReplayState | null = null;
  private held = false;

  constructor(root: HTMLElement, stage: HTMLElement, private link: Connection) {
    root.append(this.box);
    stage.append(this.bar);
    this.speed.value = "1";
    this.box.addEventListener("toggle", () => this.box.open && void this.refresh());
    this.button.onclick = () => this.now && this.send(!this.now.playing, -1);
    this.speed.onchange = () => this.now && this.send(this.now.playing, -1);
    // While the slider is held time stands still, so that what is looked for does not run away.
    this.slider.oninput = () => {
      this.held = true;
      this.send(false, Number(this.slider.value));
    };
    this.slider.onchange = () => (this.held = false);
    // Keys of the bar are not those of the hand.
    this.bar.addEventListener("keydown", (e) => e.key !== "Escape" && e.stopPropagation());
  }

  start(hello: Hello): void {
    this.bar.hidden = !hello.replay;
    this.held = false;
    document.body.classList.toggle("replaying", !!hello.replay);
    if (!hello.replay) this.now = null;
  }

  show(state: State): void {
    this.now = state.replay ?? null;
    const now = this.now;
    if (!now) return;
    text(this.name, now.name);
    text(this.button, now.playing ? "❚❚ Pause" : "▶ Play");
    this.slider.max = String(now.duration_s);
    if (!this.held) this.slider.value = String(now.t_s);
    const shown = `${now.t_s.toFixed(2)} of ${now.duration_s.toFixed(2)} s`;
    text(this.time, shown);
    this.slider.setAttribute("aria-valuetext", shown);
  }

  private send(playing: boolean, t_s: number): void {
    this.link.send({ type: "play", playing, speed: Number(this.speed.value), t_s });
  }

  private async refresh(): Promise<void> {
    const answer = await this.link.ask({ type: "recordings" });
    const found = (answer.ok ? answer.result : []) as RecordingInfo[];
    this.list.replaceChildren(...found.map((r) => h("li", {}, h("button", { onclick: () => void this.watch(r.name) }, r.name),
      h("span", { class: "hint" }, `${(r.bytes / 1e6).toFixed(1)} MB, ${new Date(1e3 * r.unix_s).toLocaleString()}`))));
    if (!found.length) this.list.append(h("li", { class: "hint" }, answer.ok ? "None yet: Record makes one." : answer.error));
  }

  private async watch(name: string): Promise<void> {
    const answer = await this.link.ask({ type: "replay", name });
    if (!answer.ok) toast("error", answer.error ?? "refused");
    else if (name) this.button.focus();
  }
}
