// Pointer, keys and gamepad as one hand. It moves only while something is held; letting go is the deadman.
import * as THREE from "three";
import type { Connection } from "./connection";
import { typing } from "./dom";
import type { Stage } from "./scene";

const SEND_MS = 15;
const IDLE_MS = 100;
const KEY_SPEED_M_S = 0.03;
const KEY_TURN_RAD_S = 0.8;
const WHEEL_M = 4e-5;
const DRAG_TURN_RAD = 0.008;
const STICK_SPEED_M_S = 0.06;
const STICK_TURN_RAD_S = 1.2;
const DEAD_ZONE = 0.15;

/** Keys that move: along right, up, forward of the camera; then turns about the same. */
export const KEYS: Record<string, [number, number, number, number, number, number]> = {
  KeyA: [-1, 0, 0, 0, 0, 0], KeyD: [1, 0, 0, 0, 0, 0], KeyW: [0, 1, 0, 0, 0, 0], KeyS: [0, -1, 0, 0, 0, 0],
  KeyR: [0, 0, 1, 0, 0, 0], KeyF: [0, 0, -1, 0, 0, 0],
  ArrowLeft: [-1, 0, 0, 0, 0, 0], ArrowRight: [1, 0, 0, 0, 0, 0], ArrowUp: [0, 1, 0, 0, 0, 0], ArrowDown: [0, -1, 0, 0, 0, 0],
  PageUp: [0, 0, 1, 0, 0, 0], PageDown: [0, 0, -1, 0, 0, 0],
  KeyI: [0, 0, 0, -1, 0, 0], KeyK: [0, 0, 0, 1, 0, 0], KeyJ: [0, 0, 0, 0, 1, 0], KeyL: [0, 0, 0, 0, -1, 0],
  KeyU: [0, 0, 0, 0, 0, -1], KeyO: [0, 0, 0, 0, 0, 1],
};

export class Drive {
  driving = false;
  pair = 0;
  gripper = 0.6;
  gamepad = "";
  clutchKey = false;
  holdButton = false;
  onHold: (held: boolean, x: number, y: number) => void = () => {};
  onChange: () => void = () => {};
  private pressed = new Set<string>();
  private pointer: number | null = null;
  private at = { x: 0, y: 0 };
  private epoch = 0;
  private p = new THREE.Vector3();
  private q = new THREE.Quaternion();
  private held = false;
  private padHold = false;
  private padClutch = false;
  private last = performance.now();
  private sent = 0;

  constructor(private link: Connection, private stage: Stage, private canvas: HTMLCanvasElement) {
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      canvas.addEventListener(kind, (e) => {
        if (e.pointerId === this.pointer) this.pointer = null;
        this.tick();
      });
    }
    canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false, capture: true });
    canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    addEventListener("keydown", (e) => this.key(e, true));
    addEventListener("keyup", (e) => this.key(e, false));
    addEventListener("blur", () => this.letGo());
    addEventListener("pagehide", () => this.letGo());
    document.addEventListener("visibilitychange", () => document.hidden && this.letGo());
    addEventListener("gamepadconnected", (e) => {
      this.gamepad = e.gamepad.id;
      this.onChange();
    });
    addEventListener("gamepaddisconnected", () => {
      this.gamepad = "";
      this.padHold = this.padClutch = false;
      this.letGo();
      this.onChange();
    });
    // A timer and not the frames: drawing may be slow, and timers of hidden tabs stop just as well.
    setInterval(() => this.tick(), SEND_MS);
  }

  setDriving(driving: boolean): void {
    if (this.driving === driving) return;
    this.driving = driving;
    const orbit = this.stage.orbit;
    orbit.mouseButtons = { LEFT: driving ? null : THREE.MOUSE.ROTATE, MIDDLE: THREE.MOUSE.PAN, RIGHT: driving ? THREE.MOUSE.ROTATE : THREE.MOUSE.PAN };
    orbit.touches = { ONE: driving ? null : THREE.TOUCH.ROTATE, TWO: THREE.TOUCH.DOLLY_ROTATE };
    this.canvas.classList.toggle("driving", driving);
    if (!driving) this.letGo();
    this.onChange();
  }

  get holding(): boolean {
    return this.held;
  }

  letGo(): void {
    this.pressed.clear();
    this.pointer = null;
    this.holdButton = this.clutchKey = false;
    this.padHold = false;
    this.tick();
    this.onChange();
  }

  private down(e: PointerEvent): void {
    this.canvas.focus({ preventScroll: true });
    if (!this.driving || e.button !== 0 || this.pointer !== null || this.stage.fixtures.handle.axis) return;
    this.pointer = e.pointerId;
    this.at = { x: e.clientX, y: e.clientY };
    this.canvas.setPointerCapture(e.pointerId);
    this.tick();
  }

  private move(e: PointerEvent): void {
    if (e.pointerId !== this.pointer) return;
    const dx = e.clientX - this.at.x;
    const dy = e.clientY - this.at.y;
    this.at = { x: e.clientX, y: e.clientY };
    const [right, up] = this.stage.axes();
    if (e.shiftKey) {
      this.turn(up, DRAG_TURN_RAD * dx);
      this.turn(right, DRAG_TURN_RAD * dy);
    } else {
      const size = this.stage.metresPerPixel;
      this.p.addScaledVector(right, size * dx).addScaledVector(up, -size * dy);
    }
    this.tick();
  }

  private wheel(e: WheelEvent): void {
    if (!this.driving || this.pointer === null) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    const [, , forward] = this.stage.axes();
    const step = e.deltaY * (e.deltaMode === 1 ? 18 : 1);
    if (e.shiftKey) this.turn(forward, step * 0.004);
    else this.p.addScaledVector(forward, -step * WHEEL_M);
    this.tick();
  }

  private key(e: KeyboardEvent, down: boolean): void {
    if (down && (typing() || e.ctrlKey || e.metaKey || e.altKey)) return;
    const moves = e.code in KEYS;
    const onButton = document.activeElement instanceof HTMLButtonElement || document.activeElement instanceof HTMLInputElement;
    const arrows = e.code.startsWith("Arrow") || e.code.startsWith("Page") || e.code === "Space";
    if (down && arrows && onButton) return;
    if (moves || e.code === "Space") {
      if (!this.driving) return;
      if (down) this.pressed.add(e.code);
      else this.pressed.delete(e.code);
      e.preventDefault();
      this.tick();
    } else if (e.code === "KeyC") {
      this.clutchKey = down && this.driving;
      this.tick();
      this.onChange();
    } else if (down && this.driving && (e.code === "BracketLeft" || e.code === "BracketRight")) {
      this.setGripper(this.gripper + (e.code === "BracketLeft" ? -0.08 : 0.08));
    }
  }

  setGripper(value: number): void {
    this.gripper = Math.min(1.3, Math.max(0, value));
    this.onChange();
  }

  private turn(axis: THREE.Vector3, angle: number): void {
    this.q.premultiply(new THREE.Quaternion().setFromAxisAngle(axis, angle)).normalize();
  }

  private moveBy(v: number[], dt: number, speed: number, turn: number): void {
    const axes = this.stage.axes();
    axes.forEach((axis, k) => {
      this.p.addScaledVector(axis, v[k] * speed * dt);
      if (v[k + 3]) this.turn(axis, v[k + 3] * turn * dt);
    });
  }

  private readPad(dt: number): void {
    if (!this.gamepad) return;
    const pad = navigator.getGamepads().find((g) => g?.connected);
    if (!pad) return;
    const stick = (k: number): number => {
      const x = pad.axes[k] ?? 0;
      return Math.abs(x) < DEAD_ZONE ? 0 : (Math.sign(x) * (Math.abs(x) - DEAD_ZONE)) / (1 - DEAD_ZONE);
    };
    const button = (k: number): number => pad.buttons[k]?.value ?? 0;
    this.padHold = button(4) > 0.5 || button(5) > 0.5;
    this.padClutch = button(1) > 0.5;
    const jaw = button(7) - button(6);
    if (this.driving && Math.abs(jaw) > 0.1) this.setGripper(this.gripper + 1.5 * jaw * dt);
    if (!this.padHold) return;
    this.moveBy([stick(0), -stick(1), -stick(3), 0, 0, 0], dt, STICK_SPEED_M_S, 0);
    const pitch = button(12) - button(13);
    const yaw = button(14) - button(15);
    this.moveBy([0, 0, 0, -pitch, yaw, stick(2)], dt, 0, STICK_TURN_RAD_S);
  }

  /** Move with what is held, and tell the console. */
  private tick(): void {
    const now = performance.now();
    const dt = Math.min(0.1, (now - this.last) / 1e3);
    this.last = now;
    this.readPad(dt);
    const moving = [...this.pressed].filter((code) => code in KEYS);
    const held = this.driving && (this.pointer !== null || this.pressed.size > 0 || this.holdButton || this.padHold);
    if (held && !this.held) {
      this.epoch++;
      this.p.set(0, 0, 0);
      this.q.identity();
    }
    if (held) for (const code of moving) this.moveBy(KEYS[code], dt, KEY_SPEED_M_S, KEY_TURN_RAD_S);
    // Beyond this the console would not believe it; a longer way is several grips.
    if (this.p.length() > 0.9) this.p.setLength(0.9);
    const changed = held !== this.held;
    this.held = held;
    if (changed) this.onHold(held, this.at.x, this.at.y);
    if (!this.driving || !(changed || now - this.sent >= (held ? SEND_MS - 3 : IDLE_MS))) return;
    this.sent = now;
    this.link.send({
      type: "hand",
      pair: this.pair,
      epoch: this.epoch,
      hold: held,
      clutch: this.clutchKey || this.padClutch,
      p: this.p.toArray(),
      quat: this.q.toArray() as number[],
      gripper_rad: this.gripper,
      t_ms: now,
    });
  }
}
