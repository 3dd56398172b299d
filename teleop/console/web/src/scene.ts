// The 3-D scene: arms as measured, the desired tool as a ghost, the trail, fixtures as translucent bodies.
import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { color, light } from "./colors";
import { FixtureBodies } from "./bodies";
import type { ArmShape, CapsuleShape, Hello, PairState, State } from "./messages";

const TRAIL = 900;
/** Without a graphics card the processor draws, and the loop may run on the same one: fewer frames then. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software/i;
const SOFTWARE_MS = 50;

export class ArmView {
  readonly root = new THREE.Group();
  readonly ghost = new THREE.Group();
  private frames: THREE.Group[];
  private blades: THREE.Object3D[] = [];
  private ghostBlades: THREE.Object3D[] = [];
  private trail: THREE.Line;
  private count = 0;
  private link: THREE.Line;
  readonly tip = new THREE.Vector3();
  private material = new THREE.MeshStandardMaterial({ metalness: 0.35, roughness: 0.42 });
  private housing = new THREE.MeshStandardMaterial({ metalness: 0.1, roughness: 0.7, transparent: true, opacity: 0.35, depthWrite: false });
  private ghostMaterial = new THREE.MeshBasicMaterial({ transparent: true, opacity: 0.45, depthWrite: false, wireframe: true });

  constructor(shape: ArmShape) {
    this.frames = shape.frames.map(() => new THREE.Group());
    this.root.add(...this.frames);
    for (const c of shape.capsules) {
      if (shape.jaw && (c.body === "jaw" || c.body === "tip")) continue;
      const mesh = capsule(c.start, c.end, c.radius, c.radius > 0.02 ? this.housing : this.material);
      this.frames[c.frame].add(mesh);
    }
    const tip = shape.capsules.find((c) => c.body === "tip");
    if (shape.jaw && tip) {
      this.blades = makeBlades(this.frames[tip.frame], this.material, tip);
      this.ghostBlades = makeBlades(this.ghost, this.ghostMaterial, tip);
    }
    const pin = new THREE.Mesh(new THREE.SphereGeometry(0.0016, 16, 12), this.ghostMaterial);
    this.ghost.add(pin);
    const g = new THREE.BufferGeometry();
    g.setAttribute("position", new THREE.BufferAttribute(new Float32Array(3 * TRAIL), 3));
    g.setAttribute("color", new THREE.BufferAttribute(new Float32Array(4 * TRAIL), 4));
    this.trail = new THREE.Line(g, new THREE.LineBasicMaterial({ vertexColors: true, transparent: true }));
    this.trail.frustumCulled = false;
    const l = new THREE.BufferGeometry();
    l.setAttribute("position", new THREE.BufferAttribute(new Float32Array(6), 3));
    this.link = new THREE.Line(l, new THREE.LineDashedMaterial({ dashSize: 0.001, gapSize: 0.0008 }));
    this.link.frustumCulled = false;
    if (shape.rcm) {
      const ring = new THREE.Mesh(new THREE.TorusGeometry(0.009, 0.0007, 10, 48), this.material);
      ring.position.fromArray(shape.rcm);
      this.root.add(ring);
    }
    for (const object of this.objects) object.visible = false;
    this.paint();
  }

  get objects(): THREE.Object3D[] {
    return [this.root, this.ghost, this.trail, this.link];
  }

  paint(): void {
    this.material.color.set(color("arm"));
    this.housing.color.set(color("arm"));
    this.ghostMaterial.color.set(color("ghost"));
    (this.link.material as THREE.LineDashedMaterial).color.set(color("ghost"));
  }

  show(pair: PairState): void {
    if (!pair.frames.length) return;
    this.root.visible = this.trail.visible = true;
    pair.frames.forEach((pose, i) => place(this.frames[i], pose));
    place(this.ghost, pair.desired);
    const half = Math.max(0, pair.jaw_rad) / 2;
    for (const blade of [...this.blades, ...this.ghostBlades]) blade.rotation.x = -blade.userData.side * half;
    this.tip.fromArray(pair.measured);
    const desired = new THREE.Vector3().fromArray(pair.desired);
    const apart = desired.distanceTo(this.tip);
    const engaged = pair.teleop_state === "FOLLOWING" && apart > 1e-5;
    this.ghost.visible = engaged;
    this.link.visible = engaged && apart > 5e-4;
    const line = this.link.geometry.getAttribute("position") as THREE.BufferAttribute;
    line.setXYZ(0, this.tip.x, this.tip.y, this.tip.z);
    line.setXYZ(1, desired.x, desired.y, desired.z);
    line.needsUpdate = true;
    this.link.computeLineDistances();
    this.addToTrail();
  }

  private addToTrail(): void {
    const position = this.trail.geometry.getAttribute("position") as THREE.BufferAttribute;
    const a = position.array as Float32Array;
    const last = 3 * (this.count - 1);
    if (this.count && Math.hypot(a[last] - this.tip.x, a[last + 1] - this.tip.y, a[last + 2] - this.tip.z) < 2e-4) return;
    if (this.count === TRAIL) a.copyWithin(0, 3);
    else this.count++;
    this.tip.toArray(a, 3 * (this.count - 1));
    const paint = new THREE.Color(color("trail"));
    const c = this.trail.geometry.getAttribute("color") as THREE.BufferAttribute;
    for (let i = 0; i < this.count; i++) c.setXYZW(i, paint.r, paint.g, paint.b, 0.85 * ((i + 1) / this.count) ** 2);
    position.needsUpdate = c.needsUpdate = true;
    this.trail.geometry.setDrawRange(0, this.count);
  }
}

/** Two blades along the capsule of the closed jaws; they open about the tip's x axis. */
function makeBlades(parent: THREE.Object3D, material: THREE.Material, tip: CapsuleShape): THREE.Object3D[] {
  const start = new THREE.Vector3().fromArray(tip.start);
  const along = new THREE.Vector3().fromArray(tip.end).sub(start);
  const length = along.length() + tip.radius;
  return [1, -1].map((side) => {
    const shape = new THREE.CylinderGeometry(0.25 * tip.radius, 0.62 * tip.radius, length, 14);
    shape.scale(1, 1, 0.8).translate(0, length / 2, 0);
    const body = new THREE.Mesh(shape, material);
    body.quaternion.setFromUnitVectors(new THREE.Vector3(0, 1, 0), along.clone().normalize());
    body.position.copy(start).add(new THREE.Vector3(0, side * 0.3 * tip.radius, 0));
    const blade = new THREE.Group();
    blade.add(body);
    blade.userData.side = side;
    parent.add(blade);
    return blade;
  });
}

function capsule(start: number[], end: number[], radius: number, material: THREE.Material): THREE.Mesh {
  const a = new THREE.Vector3().fromArray(start);
  const b = new THREE.Vector3().fromArray(end);
  const mesh = new THREE.Mesh(new THREE.CapsuleGeometry(radius, a.distanceTo(b), 10, 28), material);
  mesh.position.copy(a).add(b).multiplyScalar(0.5);
  if (a.distanceTo(b) > 0) mesh.quaternion.setFromUnitVectors(new THREE.Vector3(0, 1, 0), b.clone().sub(a).normalize());
  return mesh;
}

export function place(object: THREE.Object3D, pose: number[]): void {
  object.position.fromArray(pose);
  object.quaternion.fromArray(pose, 3);
}

export class Stage {
  readonly camera = new THREE.PerspectiveCamera(38, 1, 0.005, 4);
  readonly scene = new THREE.Scene();
  readonly orbit: OrbitControls;
  readonly fixtures: FixtureBodies;
  arms: ArmView[] = [];
  active = 0;
  /** For measurements: when each drawn state was made, and when it was drawn. */
  onDrawn: (state: State) => void = () => {};
  /** Least time between two frames; 0 draws whenever the screen can. */
  frameMs = 0;
  private framed = 0;
  private renderer: THREE.WebGLRenderer;
  private grid: THREE.GridHelper | null = null;
  private state: State | null = null;
  private fresh = false;

  constructor(private canvas: HTMLCanvasElement, labels: HTMLElement) {
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, powerPreference: "high-performance" });
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    const gl = this.renderer.getContext();
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    if (info && SOFTWARE.test(String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)))) this.frameMs = SOFTWARE_MS;
    this.camera.up.set(0, 0, 1);
    this.camera.position.set(0.22, -0.3, 0.06);
    this.orbit = new OrbitControls(this.camera, canvas);
    this.orbit.target.set(0, 0, -0.09);
    this.orbit.enableDamping = true;
    this.orbit.dampingFactor = 0.15;
    this.orbit.minDistance = 0.03;
    this.orbit.maxDistance = 1.5;
    this.orbit.update();
    const sky = new THREE.HemisphereLight(0xffffff, 0x556070, 1.6);
    sky.position.set(0, 0, 1);
    const sun = new THREE.DirectionalLight(0xffffff, 1.9);
    sun.position.set(0.5, -0.7, 0.9);
    this.scene.add(sky, sun);
    this.fixtures = new FixtureBodies(this.scene, this.camera, canvas, labels);
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement!);
    light.addEventListener("change", () => this.paint());
    this.paint();
    this.resize();
    this.renderer.setAnimationLoop((now) => this.frame(now));
  }

  start(hello: Hello): void {
    for (const arm of this.arms) this.scene.remove(...arm.objects);
    this.arms = hello.pairs.map((pair) => new ArmView(pair.arm));
    for (const arm of this.arms) this.scene.add(...arm.objects);
  }

  show(state: State): void {
    this.state = state;
    this.fresh = true;
  }

  paint(): void {
    this.scene.background = new THREE.Color(color("stage"));
    for (const arm of this.arms) arm.paint();
    if (this.grid) this.scene.remove(this.grid);
    this.grid = new THREE.GridHelper(0.4, 20, color("grid-strong"), color("grid"));
    this.grid.rotation.x = Math.PI / 2;
    this.grid.position.z = -0.2;
    this.scene.add(this.grid);
  }

  /** Metres of the world in the camera's plane at the tip, for one pixel. */
  get metresPerPixel(): number {
    const tip = this.arms[this.active]?.tip ?? this.orbit.target;
    const away = tip.clone().sub(this.camera.position).dot(this.camera.getWorldDirection(new THREE.Vector3()));
    return (2 * Math.max(0.02, away) * Math.tan((this.camera.fov * Math.PI) / 360)) / this.canvas.clientHeight;
  }

  /** The camera's right, up and forward in the world. */
  axes(): [THREE.Vector3, THREE.Vector3, THREE.Vector3] {
    const m = this.camera.matrixWorld.elements;
    return [
      new THREE.Vector3(m[0], m[1], m[2]).normalize(),
      new THREE.Vector3(m[4], m[5], m[6]).normalize(),
      new THREE.Vector3(-m[8], -m[9], -m[10]).normalize(),
    ];
  }

  /** Look at the tip from the front, the side or above. */
  look(from: "front" | "side" | "top" | "tip"): void {
    const tip = this.arms[this.active]?.tip ?? new THREE.Vector3();
    const away = { front: [0, -0.26, 0.03], side: [0.26, 0, 0.03], top: [0, -0.004, 0.3], tip: [0.09, -0.12, 0.05] }[from];
    this.orbit.target.copy(tip);
    this.camera.position.copy(tip).add(new THREE.Vector3(...away));
    this.orbit.update();
  }

  private resize(): void {
    const { clientWidth: w, clientHeight: h } = this.canvas.parentElement!;
    if (!w || !h) return;
    this.renderer.setSize(w, h, false);
    this.camera.aspect = w / h;
    this.camera.updateProjectionMatrix();
  }

  private frame(now: number): void {
    if (now - this.framed < this.frameMs - 4) return;
    this.framed = now;
    this.orbit.update();
    const drawn = this.fresh ? this.state : null;
    if (this.fresh && this.state) {
      this.state.pairs.forEach((pair, i) => this.arms[i]?.show(pair));
      this.fixtures.show(this.state);
      this.fresh = false;
    }
    this.renderer.render(this.scene, this.camera);
    this.fixtures.label();
    if (drawn) this.onDrawn(drawn);
  }
}
