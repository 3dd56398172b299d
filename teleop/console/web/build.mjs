// Builds the page into ../static; `node build.mjs OUTDIR` builds elsewhere, for the test that compares.
import { build } from "esbuild";
import { copyFileSync, mkdirSync } from "node:fs";

const out = process.argv[2] ?? "../static";
mkdirSync(out, { recursive: true });
await build({
  entryPoints: { app: "src/main.ts" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "linked",
  outdir: out,
  logLevel: "warning",
});
copyFileSync("src/index.html", `${out}/index.html`);
