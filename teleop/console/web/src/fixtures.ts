// The panel "Fixtures": the list with live distance, and every number of each with its unit.
import * as THREE from "three";
import { nearness, softnessOf, type FixtureBodies, type Handle } from "./bodies";
import type { Connection } from "./connection";
import { h, text, toast } from "./dom";
import type { FixtureInfo, Hello, Scene, State } from "./messages";
import type { Stage } from "./scene";

type Table = Record<string, any>;
const SKIPPED = new Set(["name", "kind", "enabled", "softness", "bodies", "shape", "type", "path", "arm", "quat_xyzw"]);
const HANDLE_MS = 90;

/** Shown unit and factor by the ending of a key. */
function unit(key: string): [string, number] {
  if (key.endsWith("_m_s")) return ["mm/s", 1e3];
  if (key.endsWith("_m")) return ["mm", 1e3];
  if (key.endsWith("_rad")) return ["°", 180 / Math.PI];
  if (key.endsWith("_hz")) return ["Hz", 1];
  if (key.endsWith("_s")) return ["ms", 1e3];
  return ["", 1];
}

const words = (key: string): string => key.replace(/_(m_s|m|rad|hz|s)$/, "").replaceAll("_", " ");
const copy = (table: Table): Table => structuredClone(table);

export class FixturePanel {
  private list = h("div", { id: "fixtures" });
  private undo = h("button", { id: "undo", title: "Undo (Ctrl Z)" }, "Undo");
  private redo = h("button", { id: "redo", title: "Redo (Ctrl Y)" }, "Redo");
  private add = h("select", { id: "add", "aria-label": "Add a fixture" });
  private file = h("input", { type: "file", accept: ".stl,.obj,.ply,.vtp", hidden: true });
  private scene: Scene | null = null;
  private open = "";
  private mode: Handle | null = null;
  private mine = false;
  private rows = new Map<string, { gap: HTMLElement; row: HTMLElement }>();
  private gesture = 0;
  private handled = 0;
  private bodies: FixtureBodies;
  private bodyNames: string[] = ["all"];

  constructor(root: HTMLElement, private link: Connection, private stage: Stage, private count: HTMLElement) {
    this.bodies = stage.fixtures;
    this.undo.onclick = () => void this.ask({ type: "undo", redo: false });
    this.redo.onclick = () => void this.ask({ type: "undo", redo: true });
    this.add.onchange = () => void this.addChosen();
    this.file.onchange = () => void this.upload();
    const save = h("a", { class: "button", id: "save", href: "/session.toml", download: "", title: "The session as it is now, for trocar run" }, "Save as TOML");
    root.append(h("div", { class: "row tools" }, this.add, this.undo, this.redo, save, this.file), this.list);
    addEventListener("keydown", (e) => {
      if (!(e.ctrlKey || e.metaKey) || (e.target as Element).matches("input[type=number], input[type=text]")) return;
      const key = e.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      e.preventDefault();
      void this.ask({ type: "undo", redo: key === "y" || e.shiftKey });
    });
    this.bodies.onHandle = (name, kind, group, done) => this.moved(name, kind, group, done);
  }

  start(hello: Hello): void {
    this.add.replaceChildren(
      h("option", { value: "" }, "Add …"),
      ...hello.templates.map((t, i) => h("option", { value: String(i) }, t.label)),
      h("option", { value: "mesh" }, "Mesh from a file …"),
    );
    this.bodyNames = ["all", ...new Set(hello.pairs.flatMap((p) => p.arm.capsules.map((c) => c.body)))];
  }

  private async ask(question: Parameters<Connection["ask"]>[0]): Promise<boolean> {
    const answer = await this.link.ask(question);
    if (!answer.ok) toast("error", answer.error ?? "refused");
    return answer.ok;
  }

  private edit(fixture: Table, gesture = 0): Promise<boolean> {
    return this.ask({ type: "edit", fixture, gesture });
  }

  private freeName(base: string): string {
    const taken = new Set(this.scene?.fixtures.map((f) => f.spec.name));
    for (let n = 1; ; n++) {
      const name = n === 1 ? base : `${base}_${n}`;
      if (!taken.has(name)) return name;
    }
  }

  /** Beside the tip, so that it is seen; a keep-in and a guide go around it. */
  private placed(fixture: Table): Table {
    const tip = this.stage.arms[this.stage.active]?.tip ?? new THREE.Vector3();
    const around = /keep_in|guide|axis_lock|hold_point|look_at/.test(fixture.kind);
    const p = tip.clone();
    if (fixture.kind === "camera_cone") p.z += 0.08;
    else if (fixture.geometry?.shape === "half_space") p.z -= 0.03;
    else if (!around) p.add(new THREE.Vector3(0.035, 0, -0.012));
    const out: Table = { ...copy(fixture), pose: { position_m: p.toArray().map((x) => Math.round(x * 1e4) / 1e4), quat_xyzw: [0, 0, 0, 1] } };
    if (fixture.kind === "camera_cone") out.pose.quat_xyzw = [1, 0, 0, 0];
    if (fixture.kind === "trocar") out.pose.position_m = this.link.hello?.pairs[this.stage.active].arm.rcm ?? out.pose.position_m;
    if (fixture.kind === "tool_to_tool") out.arms = this.link.hello!.pairs.slice(0, 2).map((q) => q.arm.name);
    return out;
  }

  private async addChosen(): Promise<void> {
    const chosen = this.add.value;
    this.add.value = "";
    if (chosen === "mesh") return this.file.click();
    const template = this.link.hello?.templates[Number(chosen)];
    if (!template) return;
    const fixture = this.placed(template.fixture);
    const base = (template.label as string).toLowerCase().replace(/^(forbidden|guide:) /, "").replaceAll(/[^a-z0-9]+/g, "_");
    fixture.name = this.freeName(base);
    if (await this.edit(fixture)) this.show_only(fixture.name);
  }

  private async upload(): Promise<void> {
    const file = this.file.files?.[0];
    this.file.value = "";
    if (!file || !this.link.hello) return;
    if (file.size > this.link.hello.max_upload_bytes) {
      toast("error", `${file.name} has ${(file.size / 2 ** 20).toFixed(0)} MB; at most ${this.link.hello.max_upload_bytes / 2 ** 20} MB. Reduce it first.`);
      return;
    }
    toast("info", `Uploading ${file.name}, then baking its distance field; the arm goes on meanwhile.`);
    const answer = await fetch(`/upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file, headers: { "x-viewer-key": this.link.hello.key } });
    const said = await answer.json().catch(() => ({ ok: false, error: answer.statusText }));
    if (!said.ok) return toast("error", said.error);
    const fixture = this.placed({ kind: "forbidden", geometry: { shape: "mesh", path: said.path, units: "mm" } });
    fixture.name = this.freeName(file.name.replace(/\.\w+$/, "").replaceAll(/[^A-Za-z0-9_-]+/g, "_").slice(0, 24) || "mesh");
    if (await this.edit(fixture)) this.show_only(fixture.name);
  }

  private show_only(name: string): void {
    this.open = name;
    this.render();
    this.list.querySelector(`[data-name="${CSS.escape(name)}"]`)?.scrollIntoView({ block: "nearest" });
  }

  set(scene: Scene): void {
    this.scene = scene;
    text(this.count, scene.fixtures.length ? String(scene.fixtures.length) : "");
    this.undo.title = scene.undo ? `Undo: ${scene.undo}` : "Nothing to undo";
    this.redo.title = scene.redo ? `Redo: ${scene.redo}` : "Nothing to redo";
    this.bodies.set(scene);
    const at = document.activeElement;
    // A person who types must not lose the field; what is shown is brought up to date when they leave it.
    if (at instanceof HTMLInputElement && at.type === "number" && this.list.contains(at)) {
      at.addEventListener("blur", () => setTimeout(() => this.render()), { once: true });
      return;
    }
    this.render();
  }

  private render(): void {
    const focused = (document.activeElement as HTMLElement | null)?.dataset?.focus;
    this.rows.clear();
    const infos = this.scene?.fixtures ?? [];
    this.list.replaceChildren(...(infos.length ? infos.map((f) => this.row(f)) : [h("p", { class: "hint" }, "No fixtures: nothing holds the arm back but its own limits. Take the arm and add one; a wall, for instance.")]));
    this.lock();
    if (this.mode) this.bodies.select(this.open, this.mode);
    if (focused) this.list.querySelector<HTMLElement>(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  }

  private row(info: FixtureInfo): HTMLElement {
    const spec = info.spec as Table;
    const name = spec.name as string;
    const gap = h("span", { class: "gap" });
    const on = h("input", { type: "checkbox", checked: spec.enabled !== false, "aria-label": `${name} enabled`, "data-focus": `${name}/on`, onchange: () => void this.edit({ ...copy(spec), enabled: on.checked }) });
    const soft = h("select", { "aria-label": `${name}: how strictly`, "data-focus": `${name}/soft`, title: "hard: certified by the gate; soft: gives way under its priority; advisory: only shown" },
      ...["hard", "soft", "advisory"].map((s) => h("option", { value: s, selected: softnessOf(info) === s }, s)));
    soft.onchange = () => void this.edit({ ...copy(spec), softness: soft.value === "soft" ? { priority: 1 } : soft.value });
    const isOpen = this.open === name;
    const head = h("div", { class: "head" }, on,
      h("button", { class: "name", "aria-expanded": String(isOpen), "data-focus": `${name}/name`, onclick: () => { this.open = isOpen ? "" : name; this.mode = null; this.bodies.select("", null); this.render(); } },
        h("b", {}, name), h("span", {}, [words(spec.kind), spec.geometry && words(spec.geometry.shape)].filter(Boolean).join(", "))),
      gap, soft);
    const row = h("div", { class: "fixture", "data-name": name }, head, info.note ? h("p", { class: "note" }, info.note) : null, isOpen && this.form(spec));
    this.rows.set(name, { gap, row });
    return row;
  }

  private form(spec: Table): HTMLElement {
    const name = spec.name as string;
    const handle = (mode: Handle, label: string) => h("button", { "aria-pressed": String(this.mode === mode), "data-focus": `${name}/${mode}`, onclick: () => { this.mode = this.mode === mode ? null : mode; this.bodies.select(name, this.mode); this.render(); } }, label);
    const sizes = "geometry" in spec || "points_m" in spec;
    const tools = h("div", { class: "row" }, handle("translate", "Move"), handle("rotate", "Turn"), sizes && handle("scale", "Size"),
      h("button", { class: "danger", "data-focus": `${name}/remove`, onclick: () => void this.ask({ type: "remove", name }) }, "Remove"));
    const bodies = h("div", { class: "bodies" }, h("span", {}, "guards"), ...this.bodyNames.map((body) => {
      const box = h("input", { type: "checkbox", checked: spec.bodies.includes(body), "data-focus": `${name}/${body}`, onchange: () => {
        const rest = (spec.bodies as string[]).filter((b) => b !== body && (body === "all" ? false : b !== "all"));
        void this.edit({ ...copy(spec), bodies: box.checked ? [...rest, body] : rest.length ? rest : ["all"] });
      } });
      return h("label", {}, box, body);
    }));
    const motion = h("select", { "data-focus": `${name}/motion` }, ...["static", "periodic"].map((t) => h("option", { value: t, selected: spec.motion.type === t }, t === "static" ? "stands still" : "beats")));
    if (spec.motion.type === "stream") motion.prepend(h("option", { value: "stream", selected: true }, "follows a stream"));
    motion.onchange = () => void this.edit({ ...copy(spec), motion: motion.value === "static" ? { type: "static" } : { type: "periodic", waves: [{ amplitude_m: [0, 0, 0.002], rate_hz: 1 }] } });
    const grid = h("div", { class: "numbers" });
    this.numbers(spec, spec, [], grid);
    return h("div", { class: "form" }, tools, grid, bodies, h("label", { class: "slider" }, "motion", motion));
  }

  /** A field for every number in the table; tables and lists of points are walked. */
  private numbers(root: Table, at: Table, path: (string | number)[], into: HTMLElement): void {
    for (const [key, value] of Object.entries(at)) {
      if (SKIPPED.has(key) || value === null) continue;
      const here = [...path, key];
      if (typeof value === "number") into.append(this.field(root, here, words(key), value, key));
      else if (Array.isArray(value) && value.every((v) => typeof v === "number")) this.vector(root, here, words(key), value, key, into);
      else if (Array.isArray(value) && value.every((v) => Array.isArray(v))) value.forEach((v, i) => this.vector(root, [...here, i], `${words(key)} ${i + 1}`, v, key, into));
      else if (Array.isArray(value)) value.forEach((v, i) => typeof v === "object" && this.numbers(root, v, [...here, i], into));
      else if (typeof value === "object") this.numbers(root, value, here, into);
    }
  }

  private vector(root: Table, path: (string | number)[], label: string, value: number[], key: string, into: HTMLElement): void {
    into.append(h("div", { class: "vector" }, h("span", { class: "what" }, label, h("i", {}, unit(key)[0])), ...value.map((v, i) => this.input(root, [...path, i], `${label} ${"xyz"[i]}`, v, key))));
  }

  private field(root: Table, path: (string | number)[], label: string, value: number, key: string): HTMLElement {
    return h("label", { class: "vector one" }, h("span", { class: "what" }, label, h("i", {}, unit(key)[0])), this.input(root, path, label, value, key));
  }

  private input(root: Table, path: (string | number)[], label: string, value: number, key: string): HTMLElement {
    const [, factor] = unit(key);
    const shown = Number((value * factor).toFixed(4));
    const input = h("input", { type: "number", step: "any", value: String(shown), "aria-label": label, "data-focus": `${root.name}/${path.join("/")}` });
    input.onchange = async () => {
      const number = input.valueAsNumber;
      if (!Number.isFinite(number)) return void (input.value = String(shown));
      const next = copy(root);
      let table: any = next;
      for (const part of path.slice(0, -1)) table = table[part];
      table[path[path.length - 1]] = number / factor;
      if (!(await this.edit(next))) input.value = String(shown);
    };
    return input;
  }

  /** The handle in the scene: poses go out while it moves, sizes when it is let go. */
  private moved(name: string, kind: Handle, group: THREE.Group, done: boolean): void {
    const info = this.scene?.fixtures.find((f) => f.spec.name === name);
    if (!info) return;
    if (!this.gesture) this.gesture = Math.floor(Math.random() * 2 ** 30) + 1;
    const now = performance.now();
    if (!done && (kind === "scale" || now - this.handled < HANDLE_MS)) return;
    this.handled = now;
    const next = copy(info.spec);
    if (kind === "scale") scaleTable(next, group.scale);
    else next.pose = { position_m: group.position.toArray(), quat_xyzw: group.quaternion.toArray() };
    const gesture = this.gesture;
    if (done) this.gesture = 0;
    void this.edit(next, gesture).then((ok) => {
      if (!ok || kind === "scale") group.scale.setScalar(1);
      if (!ok && this.scene) this.bodies.set(this.scene);
    });
  }

  show(state: State, mine: boolean): void {
    if (mine !== this.mine) {
      this.mine = mine;
      this.lock();
    }
    const clearance: Record<string, number> = {};
    for (const pair of state.pairs) for (const [name, c] of Object.entries(pair.clearance)) clearance[name] = Math.min(clearance[name] ?? Infinity, c);
    for (const info of this.scene?.fixtures ?? []) {
      const row = this.rows.get(info.spec.name);
      if (!row) continue;
      const [kind, said] = info.spec.enabled === false ? ["off", "off"] : nearness(clearance[info.spec.name]);
      text(row.gap, said);
      const name = `gap ${kind}`;
      if (row.gap.className !== name) row.gap.className = name;
    }
  }

  private lock(): void {
    if (!this.mine && this.mode) {
      this.mode = null;
      this.bodies.select("", null);
    }
    for (const control of this.list.querySelectorAll<HTMLInputElement>("input, select, .form button")) control.disabled = !this.mine;
    this.add.disabled = !this.mine;
    this.add.title = this.mine ? "" : "Take the arm first: only who drives may change fixtures";
    this.undo.disabled = !this.mine || !this.scene?.undo;
    this.redo.disabled = !this.mine || !this.scene?.redo;
  }
}

/** Every length of a geometry by the factors of the handle; a radius by their mean. */
function scaleTable(spec: Table, by: THREE.Vector3): void {
  const axes = [Math.abs(by.x), Math.abs(by.y), Math.abs(by.z)];
  const changed = axes.filter((f) => Math.abs(f - 1) > 1e-3);
  const mean = changed.length ? changed.reduce((a, b) => a * b, 1) ** (1 / changed.length) : 1;
  const walk = (table: any): void => {
    for (const [key, value] of Object.entries(table)) {
      if (key === "scale" && typeof value === "number") table[key] = value * mean;
      else if (typeof value === "number" && /(radius|depth|tube)_m$/.test(key)) table[key] = value * mean;
      else if (key === "size_m") table[key] = (value as number[]).map((v, i) => v * axes[i]);
      else if (key === "points_m") table[key] = (value as number[][]).map((v) => v.map((c, i) => c * axes[i]));
      else if (/^(start|end|apex|base|center)_m$/.test(key)) table[key] = (value as number[]).map((c, i) => c * axes[i]);
      else if (value && typeof value === "object" && key !== "pose" && key !== "margin" && key !== "motion") walk(value);
    }
  };
  walk(spec);
}
