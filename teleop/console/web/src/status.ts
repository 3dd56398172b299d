// The strip at the top: what state it is in, why it does not move, and what to do about it.
import type { Connection } from "./connection";
import { byId, h, text, toast } from "./dom";
import type { State } from "./messages";

/** The request that answers each reason, and the words on its button. */
const NEXT: Record<string, [string, string]> = {
  not_enabled: ["enable", "Enable"],
  estop: ["reset_fault", "Reset fault"],
  arm_fault: ["reset_fault", "Reset fault"],
  tracking_error: ["reset_fault", "Reset fault"],
  internal: ["reset_fault", "Reset fault"],
  paused: ["resume", "Resume"],
  not_engaged: ["engage", "Engage"],
  arm_not_homed: ["home", "Home"],
  arm_not_enabled: ["enable", "Enable"],
  arm_held: ["engage", "Engage"],
  master_stale: ["engage", "Engage"],
  master_invalid: ["engage", "Engage"],
};
const SILENT_S = 0.5;
const CLAMP_SHOWN_S = 3;

export class StatusStrip {
  private op = "";
  private cells = new Map<string, HTMLElement>();

  constructor(private link: Connection) {
    byId("next").addEventListener("click", () => void this.doNext());
    byId("estop").addEventListener("click", () => this.stop());
    addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || e.repeat) return;
      e.preventDefault();
      this.stop();
    });
    const figures = byId("figures");
    for (const [key, title] of [
      ["loop", "Ticks a second of the control loop"],
      ["p99", "99th percentile of the time one tick takes, last second"],
      ["late", "99th percentile of the loop's lateness, last second"],
      ["round trip", "From a command to the arm's echo of it"],
      ["hand", "Age of the newest sample of the hand"],
      ["scale", "Motion of the tip for motion of the hand"],
      ["clutch", "Pressed: the hand moves and the arm does not"],
      ["rec", "Recording"],
      ["viewers", "Browsers that show this session"],
    ]) {
      const value = h("dd");
      this.cells.set(key, value);
      figures.append(h("div", { title }, h("dt", {}, key), value));
    }
  }

  private stop(): void {
    void this.link.ask({ type: "estop" }).then((answer) => {
      if (!answer.ok) toast("error", `Emergency stop: ${answer.error}. Cut the arm's power.`);
    });
    byId("estop").classList.add("pressed");
    setTimeout(() => byId("estop").classList.remove("pressed"), 600);
  }

  private async doNext(): Promise<void> {
    const answer = this.op === "take" ? await this.link.ask({ type: "take" }) : await this.link.ask({ type: "op", op: this.op, args: {} });
    if (!answer.ok) toast("error", answer.error ?? "");
  }

  lost(why: string): void {
    this.say("off", "no link", "The console does not answer.", why || "It is tried again by itself; is trocar still running?", "", "");
  }

  show(state: State, mine: boolean, pair: number): void {
    const now = state.pairs[pair];
    if (!now || state.silent_s < 0 || state.silent_s > SILENT_S) {
      if (state.silent_s < 0) this.say("off", "starting", "Waiting for the controller.", "The first start on a machine compiles for a minute or more; otherwise start the session.", "", "");
      else this.say("off", "silent", `Nothing has come from the controller for ${state.silent_s.toFixed(1)} s.`, "Look at the terminal where it runs.", "", "");
    } else {
      const following = now.teleop_state === "FOLLOWING" && now.reason === "none";
      const kind = state.state === "FAULT" ? "fault" : following ? "go" : "wait";
      let sentence = following ? (state.person ? "The arm follows your hand." : "The synthetic surgeon drives.") : now.sentence;
      let action = following ? (state.person ? "Let go, and it holds." : "Take the arm to drive it yourself.") : now.action;
      if (following && state.person && !mine) sentence = "The arm follows the driver's hand.";
      if (following && state.person && !mine) action = "You are watching.";
      let [op, label] = NEXT[now.reason] ?? ["", ""];
      if (now.reason === "deadman_released") {
        action = mine ? "Hold the pointer in the scene, or a key: it moves while you hold." : state.driver ? "The driver must hold to move." : "Take the arm, then hold to move it.";
        [op, label] = !mine && !state.driver ? ["take", "Take the arm"] : ["", ""];
      } else if (op && !mine) {
        action = state.driver ? "The driver must act." : "Take the arm first.";
        [op, label] = state.driver ? ["", ""] : ["take", "Take the arm"];
      } else if (op) {
        action = action.replace(/`(\w+)`/g, "$1");
      }
      if (state.replay) [sentence, action, op, label] = [following ? "The arm followed the hand." : sentence, `A recording; the live session goes on meanwhile.`, "", ""];
      if (now.detail && !following && !sentence.includes(now.detail)) sentence = `${sentence} (${now.detail})`;
      this.say(kind, state.state === "FAULT" ? "FAULT" : now.teleop_state, sentence, action, op, label);
    }
    this.figures(state, pair);
  }

  private say(kind: string, pill: string, sentence: string, action: string, op: string, label: string): void {
    const mark = { go: "▶", wait: "❚❚", fault: "■", off: "○" }[kind];
    const shown = byId("pill");
    text(shown, `${mark} ${pill}`);
    if (shown.className !== `pill ${kind}`) shown.className = `pill ${kind}`;
    text(byId("sentence"), sentence);
    text(byId("action"), action);
    this.op = op;
    const next = byId<HTMLButtonElement>("next");
    next.hidden = !op;
    text(next, label);
  }

  private figures(state: State, pair: number): void {
    const now = state.pairs[pair];
    const ms = (x: number | undefined): string => (x === undefined || x < 0 ? "–" : `${x.toFixed(x < 10 ? 1 : 0)} ms`);
    const values: Record<string, string> = {
      loop: state.silent_s < 0 || state.silent_s > SILENT_S ? "–" : `${state.hz.toFixed(0)} Hz`,
      p99: `${state.compute_p99_us.toFixed(0)} µs`,
      late: `${state.lateness_p99_us.toFixed(0)} µs`,
      "round trip": ms(now?.round_trip_ms),
      hand: ms(now?.input_age_ms),
      scale: now ? `× ${now.scale.toFixed(2)}` : "–",
      clutch: now?.clutch ? "pressed" : "open",
      rec: state.recording ? `● ${(state.recording.bytes / 1e6).toFixed(1)} MB${state.recording.dropped ? `, ${state.recording.dropped} lost` : ""}` : "off",
      viewers: String(state.viewers),
    };
    for (const [key, value] of Object.entries(values)) text(this.cells.get(key)!, value);
    this.cells.get("rec")!.classList.toggle("on", !!state.recording);
    const clamp = byId("clamp");
    const shown = now && now.clamp && now.clamp_age_s >= 0 && now.clamp_age_s < CLAMP_SHOWN_S;
    clamp.classList.toggle("old", !!now && now.clamp_age_s > 0.3);
    text(clamp, shown ? `held back: ${now.clamp}` : "");
    clamp.hidden = !shown;
  }
}
