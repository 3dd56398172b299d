import "uplot/dist/uPlot.min.css";
import "./style.css";
import { Connection } from "./connection";
import { byId, text, toast } from "./dom";
import { Drive } from "./drive";
import { FixturePanel } from "./fixtures";
import type { State } from "./messages";
import { DrivePanel } from "./panel";
import { PlotPanel } from "./plots";
import { ReplayPanel } from "./replay";
import { Stage } from "./scene";
import { StatusStrip } from "./status";

const link = new Connection();
const canvas = byId<HTMLCanvasElement>("view");
const stage = new Stage(canvas, byId("labels"));
const drive = new Drive(link, stage, canvas);
const strip = new StatusStrip(link);
const panel = new DrivePanel(byId("panel-drive"), link, drive, stage);
const fixtures = new FixturePanel(byId("panel-fixtures"), link, stage, byId("count"));
const replay = new ReplayPanel(byId("panel-drive"), byId("stage"), link);
const plots = new PlotPanel(byId("plot-tools"), byId("charts"), byId("plots"));
let seen = false;

link.on("hello", (hello) => {
  text(byId("session"), hello.session);
  if (hello.replay) seen = false; // look at the tip of what was recorded
  document.title = `${hello.session} – Trocar console`;
  stage.start(hello);
  panel.start(hello);
  fixtures.start(hello);
  plots.start(hello);
  replay.start(hello);
});
link.on("scene", (scene) => fixtures.set(scene));
link.on("plots", (message) => plots.add(message));
link.on("spectrum", (message) => plots.addSpectrum(message));
link.on("notice", (notice) => toast(notice.level, notice.text));
link.on("state", (state) => {
  const mine = state.driver !== 0 && state.driver === link.hello?.viewer;
  stage.show(state);
  strip.show(state, mine, drive.pair);
  panel.show(state);
  fixtures.show(state, mine);
  replay.show(state);
});
link.onChange = (open, why) => {
  document.body.classList.toggle("lost", !open);
  if (open) return;
  drive.setDriving(false);
  strip.lost(why);
};

drive.onHold = (held, x, y) => {
  const mark = byId("hold");
  mark.classList.toggle("on", held);
  const box = canvas.getBoundingClientRect();
  mark.style.transform = `translate(${x - box.left}px, ${y - box.top}px)`;
  document.body.classList.toggle("holding", held);
};
canvas.addEventListener("pointermove", (e) => {
  const box = canvas.getBoundingClientRect();
  byId("hold").style.transform = `translate(${e.clientX - box.left}px, ${e.clientY - box.top}px)`;
});

const tabs = [...document.querySelectorAll<HTMLButtonElement>("[role=tab]")];
for (const tab of tabs) {
  tab.onclick = () => {
    for (const other of tabs) {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      byId(other.getAttribute("aria-controls")!).hidden = !on;
    }
  };
  tab.onkeydown = (e) => {
    if (e.key !== "ArrowLeft" && e.key !== "ArrowRight") return;
    const next = tabs[(tabs.indexOf(tab) + (e.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
    next.focus();
    next.click();
  };
}

let first = true;
try {
  first = !localStorage.getItem("trocar-card");
} catch {
  // A browser without storage shows the card each time.
}
byId("card").hidden = !first;
byId("card-close").onclick = () => {
  byId("card").hidden = true;
  try {
    localStorage.setItem("trocar-card", "seen");
  } catch {
    // see above
  }
};

// For measurements and tests: what was drawn last, and what it shows.
const probe: { drawn: number[]; state: State | null } = { drawn: [], state: null };
stage.onDrawn = (state) => {
  probe.state = state;
  if (!seen && state.pairs.length) {
    seen = true;
    stage.look("tip"); // now that the arm is where it is
  }
  probe.drawn.push(performance.now());
  if (probe.drawn.length > 2000) probe.drawn.splice(0, 1000);
};
Object.assign(window, { trocar: { probe, link, stage, drive } });

link.connect();
