// The panel "Drive": who drives, session controls, and what moves the hand.
import type { Connection } from "./connection";
import { h, text, toast } from "./dom";
import type { Drive } from "./drive";
import type { Hello, State } from "./messages";
import type { Stage } from "./scene";

const FILTERS = ["kalman_bank", "one_euro", "butterworth", "notch", "wflc", "bmflc", "bmflc_kf", "none"];

export class DrivePanel {
  private take = h("button", { class: "primary wide", id: "take" });
  private give = h("button", { id: "give" }, "Give it to the surgeon");
  private who = h("p", { class: "hint" });
  private ops = h("div", { class: "row ops" });
  private scale = h("input", { type: "range", id: "scale", min: "0.05", max: "2", step: "0.05" });
  private scaleOut = h("output");
  private jaw = h("input", { type: "range", id: "jaw", min: "0", max: "1.3", step: "0.01" });
  private jawOut = h("output");
  private filter = h("select", { id: "filter" }, ...FILTERS.map((name) => h("option", { value: name }, name.replace("_", " "))));
  private pairs = h("div", { class: "row", role: "radiogroup", "aria-label": "pair" });
  private pad = h("p", { class: "hint" });
  private hold = h("button", { class: "hold", id: "hold-button" }, "Hold to move", h("kbd", {}, "Space"));
  private clutch = h("button", { id: "clutch", "aria-pressed": "false" }, "Clutch", h("kbd", {}, "C"));
  private record = h("button", { id: "record", "aria-pressed": "false" }, "Record");
  private recorded = h("p", { class: "hint", id: "recorded", role: "status" });
  private recording = false;
  private joints = h("table", { class: "joints" });
  private mine = false;
  private driver = 0;
  private scaled = 0;

  constructor(root: HTMLElement, private link: Connection, private drive: Drive, private stage: Stage) {
    this.take.onclick = () => void this.toggle();
    this.give.onclick = () => void this.ask({ type: "leave", surgeon: true });
    for (const [op, label, title] of [
      ["enable", "Enable", "Power the controller and the arm"], ["home", "Home", "Reference the arm's joints"],
      ["engage", "Engage", "Let the arm follow the hand"], ["release", "Release", "End the engagement"],
      ["pause", "Pause", "Hold, stay engaged"], ["resume", "Resume", "End the pause"],
      ["disable", "Disable", "Brake and let the arm go"], ["reset_fault", "Reset fault", "After an emergency stop or a fault"],
    ]) {
      this.ops.append(h("button", { title, "data-op": op, onclick: () => void this.ask({ type: "op", op, args: {} }) }, label));
    }
    this.record.onclick = () => void this.toggleRecording();
    this.scale.oninput = () => {
      this.scaled = performance.now();
      text(this.scaleOut, `× ${Number(this.scale.value).toFixed(2)}`);
    };
    this.scale.onchange = () => void this.ask({ type: "op", op: "set_scale", args: { scale: Number(this.scale.value) } });
    this.jaw.oninput = () => drive.setGripper(Number(this.jaw.value));
    this.filter.onchange = () => void this.ask({ type: "op", op: "set_filter", args: { filter: { kind: this.filter.value } } });
    const press = (on: boolean) => (e: Event) => {
      e.preventDefault();
      drive.holdButton = on;
    };
    this.hold.addEventListener("pointerdown", press(true));
    for (const kind of ["pointerup", "pointerleave", "pointercancel", "blur"]) this.hold.addEventListener(kind, press(false));
    this.clutch.onclick = () => {
      drive.clutchKey = !drive.clutchKey;
      this.input();
    };
    const views = (["front", "side", "top", "tip"] as const).map((from) => h("button", { onclick: () => stage.look(from) }, from));
    root.append(
      h("div", { class: "block" }, this.pairs, this.take, this.give, this.who),
      h("div", { class: "block" }, h("h2", {}, "Hand"),
        h("div", { class: "row" }, this.hold, this.clutch),
        h("label", { class: "slider" }, "Jaw", this.jaw, this.jawOut),
        h("details", { open: innerHeight > 800 }, h("summary", {}, "How to move"),
          h("dl", { class: "keys" },
            h("dt", {}, "drag"), h("dd", {}, "across the view; wheel for depth"),
            h("dt", {}, "Shift drag"), h("dd", {}, "turn the tool; wheel rolls it"),
            h("dt", {}, "W A S D, arrows"), h("dd", {}, "up, left, down, right"),
            h("dt", {}, "R F, PgUp PgDn"), h("dd", {}, "away, nearer"),
            h("dt", {}, "I J K L U O"), h("dd", {}, "turn and roll"),
            h("dt", {}, "[ ]"), h("dd", {}, "close, open the jaw"),
            h("dt", {}, "right drag"), h("dd", {}, "turn the camera"))),
        this.pad),
      h("div", { class: "block" }, h("h2", {}, "Session"), this.ops,
        h("label", { class: "slider" }, "Scale", this.scale, this.scaleOut),
        h("label", { class: "slider" }, "Tremor filter", this.filter),
        h("div", { class: "row record" }, this.record), this.recorded),
      h("div", { class: "block" }, h("h2", {}, "View"), h("div", { class: "row" }, ...views)),
      h("details", { class: "block" }, h("summary", {}, "Joints"), this.joints),
    );
    drive.onChange = () => this.input();
    this.input();
  }

  start(hello: Hello): void {
    this.pairs.replaceChildren(...(hello.pairs.length < 2 ? [] : hello.pairs.map((pair, i) =>
      h("button", { role: "radio", "aria-checked": String(i === this.drive.pair), onclick: () => this.choose(i) }, pair.name))));
    const arm = hello.pairs[this.drive.pair].arm;
    this.joints.replaceChildren(...arm.joints.map((name, i) => h("tr", {}, h("th", {}, name), h("td", {}), h("td", { class: "unit" }, arm.prismatic[i] ? "mm" : "°"))));
    const able = hello.pairs[this.drive.pair].steerable;
    this.take.disabled = !able;
    if (!able) text(this.who, `Master ${hello.pairs[this.drive.pair].master} is not driven from here: give it source = { kind = "console" }. Fixtures can be edited once you take the arm.`);
    if (!able) this.take.disabled = false;
  }

  private choose(i: number): void {
    this.drive.letGo();
    this.drive.pair = this.stage.active = i;
    this.start(this.link.hello!);
  }

  private async ask(question: Parameters<Connection["ask"]>[0]): Promise<boolean> {
    const answer = await this.link.ask(question);
    if (!answer.ok) toast("error", answer.error ?? "refused");
    return answer.ok;
  }

  private async toggleRecording(): Promise<void> {
    const stop = this.recording;
    this.record.dataset.busy = "1";
    const answer = await this.link.ask({ type: "record", on: !stop });
    delete this.record.dataset.busy;
    if (!answer.ok) toast("error", answer.error ?? "refused");
    else if (stop) text(this.recorded, `Recorded: ${answer.result}`);
    else text(this.recorded, "");
  }

  private async toggle(): Promise<void> {
    this.drive.letGo();
    await this.ask(this.mine ? { type: "leave", surgeon: false } : { type: "take" });
  }

  show(state: State): void {
    const hello = this.link.hello;
    if (!hello) return;
    this.mine = state.driver === hello.viewer;
    this.driver = state.driver;
    this.drive.setDriving(this.mine);
    const info = hello.pairs[this.drive.pair];
    text(this.take, this.mine ? "Give the arm back" : state.kept_s > 0 ? "Ask for the arm" : "Take the arm");
    this.take.className = this.mine || state.kept_s > 0 ? "wide" : "primary wide";
    this.take.disabled = !!state.replay;
    this.give.hidden = !this.mine || !info.surgeon;
    if (state.replay) text(this.who, "This page shows a recording. Esc still stops the live arm.");
    else if (info.steerable) {
      text(this.who, this.mine ? "You drive. Others watch." : this.driver ? `Somebody else ${state.kept_s > 0 ? "drives" : "has the arm and does nothing with it"}; you watch. Esc still stops everything.` : state.person ? "Nobody drives; the arm holds." : info.surgeon ? "The synthetic surgeon drives. Take the arm and it holds for you." : "Nobody drives.");
    }
    const locked = !this.mine;
    this.recording = !!state.recording;
    const fixed = this.recording && !state.recording!.ours;
    text(this.record, fixed ? "● The whole session is recorded" : this.recording ? "■ Stop recording" : "● Record");
    this.record.setAttribute("aria-pressed", String(this.recording));
    this.record.disabled = locked || fixed || !hello.recorder || "busy" in this.record.dataset;
    for (const control of [this.scale, this.jaw, this.filter, this.hold, this.clutch, ...this.ops.querySelectorAll("button")]) {
      if (control.disabled !== locked) control.disabled = locked;
    }
    const pair = state.pairs[this.drive.pair];
    if (!pair) return;
    if (performance.now() - this.scaled > 1500 && document.activeElement !== this.scale) {
      this.scale.value = String(pair.scale);
      text(this.scaleOut, `× ${pair.scale.toFixed(2)}`);
    }
    const cells = this.joints.querySelectorAll("td:not(.unit)");
    pair.q.forEach((q, i) => cells[i] && text(cells[i], (info.arm.prismatic[i] ? 1e3 * q : (180 * q) / Math.PI).toFixed(1)));
  }

  private input(): void {
    this.jaw.value = String(this.drive.gripper);
    text(this.jawOut, `${((180 * this.drive.gripper) / Math.PI).toFixed(0)}°`);
    this.clutch.setAttribute("aria-pressed", String(this.drive.clutchKey));
    text(this.pad, this.drive.gamepad ? `Gamepad: hold LB or RB to move; B is the clutch; triggers move the jaw. (${this.drive.gamepad.slice(0, 40)})` : "Gamepad: press any of its buttons once, so that the browser shows it to this page.");
  }
}
