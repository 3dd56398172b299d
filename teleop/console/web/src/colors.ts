// Colours come from the style sheet, so that dark and light are written once.
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export const light = window.matchMedia("(prefers-color-scheme: light)");
