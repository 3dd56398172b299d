// Fixtures in the scene: triangles fetched once for each geometry, a handle to move, turn and size, a label each.
import * as THREE from "three";
import { TransformControls } from "three/addons/controls/TransformControls.js";
import { color } from "./colors";
import { h, text } from "./dom";
import type { FixtureInfo, Scene, State } from "./messages";

const NEAR_M = 0.01;
const CONTACT_M = 1e-4;
const EDGE_TRIANGLES = 4000;

interface Body {
  info: FixtureInfo;
  group: THREE.Group;
  surface: THREE.Mesh;
  lines: (THREE.LineSegments | THREE.Points)[];
  label: HTMLElement;
  name: HTMLElement;
  figure: HTMLElement;
  middle: THREE.Vector3;
}

export type Handle = "translate" | "rotate" | "scale";

export function softnessOf(info: FixtureInfo): "hard" | "soft" | "advisory" {
  return info.spec.softness === "hard" || info.spec.softness === "advisory" ? info.spec.softness : "soft";
}

/** How near, in words and as a class; never by colour alone. */
export function nearness(clearance: number | undefined): [string, string] {
  if (clearance === undefined) return ["far", "far"];
  if (clearance < -CONTACT_M) return ["inside", `inside ${(-1e3 * clearance).toFixed(2)} mm`];
  if (clearance < CONTACT_M) return ["contact", "at its limit"];
  return [clearance < NEAR_M ? "near" : "far", `${(1e3 * clearance).toFixed(clearance < NEAR_M ? 2 : 1)} mm`];
}

export class FixtureBodies {
  readonly bodies = new Map<string, Body>();
  readonly handle: TransformControls;
  onHandle: (name: string, kind: Handle, group: THREE.Group, done: boolean) => void = () => {};
  private shapes = new Map<string, Promise<Shape>>();
  private selected = "";

  constructor(private scene: THREE.Scene, private camera: THREE.Camera, private canvas: HTMLCanvasElement, private labels: HTMLElement) {
    this.handle = new TransformControls(camera, canvas);
    this.handle.setSize(0.75);
    scene.add(this.handle.getHelper());
    this.handle.addEventListener("objectChange", () => this.report(false));
    this.handle.addEventListener("mouseUp", () => this.report(true));
  }

  get dragging(): boolean {
    return this.handle.dragging;
  }

  private report(done: boolean): void {
    const body = this.bodies.get(this.selected);
    if (body) this.onHandle(this.selected, this.handle.mode as Handle, body.group, done);
  }

  select(name: string, mode: Handle | null): void {
    this.selected = mode ? name : "";
    const body = this.bodies.get(name);
    if (!mode || !body) {
      this.handle.detach();
      return;
    }
    this.handle.setMode(mode);
    this.handle.setSpace("local");
    this.handle.attach(body.group);
  }

  set(scene: Scene): void {
    const names = new Set(scene.fixtures.map((f) => f.spec.name as string));
    for (const [name, body] of this.bodies) if (!names.has(name)) this.drop(name, body);
    for (const info of scene.fixtures) this.put(info);
  }

  private drop(name: string, body: Body): void {
    if (this.selected === name) this.select("", null);
    this.scene.remove(body.group);
    body.label.remove();
    this.bodies.delete(name);
  }

  private put(info: FixtureInfo): void {
    const name = info.spec.name as string;
    let body = this.bodies.get(name);
    if (!body) {
      const material = new THREE.MeshStandardMaterial({ transparent: true, depthWrite: false, side: THREE.DoubleSide, roughness: 0.9 });
      const surface = new THREE.Mesh(new THREE.BufferGeometry(), material);
      const label = h("div", { class: "label" });
      const nameTag = h("b");
      const figure = h("span");
      label.append(nameTag, figure);
      this.labels.append(label);
      body = { info, group: new THREE.Group(), surface, lines: [], label, name: nameTag, figure, middle: new THREE.Vector3() };
      body.group.add(surface);
      this.scene.add(body.group);
      this.bodies.set(name, body);
      void this.load(body, info);
    } else if (info.geometry !== body.info.geometry) {
      void this.load(body, info);
    }
    body.info = info;
    const busy = this.handle.dragging && this.selected === name;
    if (!busy) {
      body.group.position.fromArray(info.spec.pose.position_m);
      body.group.quaternion.fromArray(info.spec.pose.quat_xyzw);
    }
    text(body.name, name);
    body.group.visible = true;
  }

  private async load(body: Body, info: FixtureInfo): Promise<void> {
    if (!info.geometry) return;
    let promise = this.shapes.get(info.geometry);
    if (!promise) {
      promise = fetchShape(info.geometry);
      this.shapes.set(info.geometry, promise);
      if (this.shapes.size > 64) this.shapes.delete(this.shapes.keys().next().value!);
    }
    try {
      const shape = await promise;
      if (body.info.geometry !== info.geometry) return;
      body.surface.geometry = shape.surface;
      if (!(this.handle.dragging && this.selected === info.spec.name)) body.group.scale.setScalar(1);
      body.group.remove(...body.lines);
      const paint = new THREE.LineBasicMaterial({ transparent: true, opacity: 0.65 });
      body.lines = [];
      if (shape.triangles && shape.triangles <= EDGE_TRIANGLES) body.lines.push(new THREE.LineSegments(new THREE.EdgesGeometry(shape.surface, 28), paint));
      if (shape.lineCount) body.lines.push(new THREE.LineSegments(shape.lines, paint));
      if (shape.pointCount) body.lines.push(new THREE.Points(shape.points, new THREE.PointsMaterial({ size: 9, sizeAttenuation: false })));
      if (body.lines.length) body.group.add(...body.lines);
      const whole = new THREE.Box3().setFromBufferAttribute(shape.surface.getAttribute("position") as THREE.BufferAttribute);
      whole.getCenter(body.middle);
      body.info.note = "";
    } catch {
      this.shapes.delete(info.geometry);
    }
  }

  show(state: State): void {
    const clearance: Record<string, number> = {};
    for (const pair of state.pairs) {
      for (const [name, c] of Object.entries(pair.clearance)) clearance[name] = Math.min(clearance[name] ?? Infinity, c);
    }
    for (const [name, body] of this.bodies) {
      const moving = state.moving[name];
      if (moving && !(this.handle.dragging && this.selected === name)) {
        body.group.position.fromArray(moving);
        body.group.quaternion.fromArray(moving, 3);
      }
      const off = body.info.spec.enabled === false;
      const [near, words] = off ? ["off", "off"] : nearness(clearance[name]);
      const paint = color(`fixture-${near}`);
      const material = body.surface.material as THREE.MeshStandardMaterial;
      material.color.set(paint);
      material.opacity = off ? 0.05 : { far: 0.2, near: 0.32, contact: 0.45, inside: 0.5 }[near as "far"] * (body.info.complement ? 0.45 : 1);
      for (const line of body.lines) (line.material as THREE.LineBasicMaterial | THREE.PointsMaterial).color.set(paint);
      const className = `label ${near}`;
      if (body.label.className !== className) body.label.className = className;
      text(body.figure, words === "far" ? "" : words);
    }
  }

  label(): void {
    const { clientWidth: w, clientHeight: hgt } = this.canvas;
    const at = new THREE.Vector3();
    for (const body of this.bodies.values()) {
      at.copy(body.middle);
      body.group.localToWorld(at).project(this.camera);
      const hidden = at.z > 1 || Math.abs(at.x) > 1 || Math.abs(at.y) > 1;
      body.label.style.display = hidden ? "none" : "";
      if (!hidden) body.label.style.transform = `translate(${((at.x + 1) * w) / 2}px, ${((1 - at.y) * hgt) / 2}px) translate(-50%, -50%)`;
    }
  }
}

interface Shape {
  surface: THREE.BufferGeometry;
  lines: THREE.BufferGeometry;
  points: THREE.BufferGeometry;
  corners: number;
  triangles: number;
  lineCount: number;
  pointCount: number;
}

async function fetchShape(address: string): Promise<Shape> {
  const answer = await fetch(`/geometry/${address}`);
  if (!answer.ok) throw new Error(answer.statusText);
  const data = await answer.arrayBuffer();
  const [corners, triangles, lines, points] = new Uint32Array(data, 0, 4);
  const position = new THREE.BufferAttribute(new Float32Array(data, 16, 3 * corners), 3);
  let at = 16 + 12 * corners;
  const part = (count: number): THREE.BufferGeometry => {
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", position);
    geometry.setIndex(new THREE.BufferAttribute(new Uint32Array(data, at, count), 1));
    at += 4 * count;
    return geometry;
  };
  const shape = { surface: part(3 * triangles), lines: part(2 * lines), points: part(points), corners, triangles, lineCount: lines, pointCount: points };
  if (triangles) shape.surface.computeVertexNormals();
  return shape;
}
