// The few helpers that stand in for a framework.
type Child = Node | string | null | undefined | false;
type Props = Record<string, unknown>;

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value as EventListener);
    else if (key === "class") element.className = String(value);
    else if (key in element && key !== "list" && !key.startsWith("aria")) (element as any)[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Set text only when it differs: it is done sixty times a second. */
export function text(element: Element, value: string): void {
  if (element.textContent !== value) element.textContent = value;
}

export function toast(level: string, words: string): void {
  const mark = { info: "i", warning: "!", alarm: "‼", error: "✕" }[level] ?? "i";
  const line = h("div", { class: `toast ${level}` }, h("span", { class: "mark" }, mark), words);
  const box = byId("toasts");
  if ([...box.children].some((child) => child.textContent === line.textContent)) return;
  box.append(line);
  while (box.children.length > 4) box.firstElementChild!.remove();
  setTimeout(() => line.remove(), level === "info" ? 4000 : 9000);
}

export function typing(): boolean {
  const at = document.activeElement;
  return at instanceof HTMLInputElement ? at.type !== "range" && at.type !== "checkbox" : at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement;
}

export const mm = (m: number, digits = 2): string => `${(1e3 * m).toFixed(digits)} mm`;
