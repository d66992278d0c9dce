import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { alias } from "../vite.alias.js";

const SMALLEST = 1_024;

/**
 * Beside each file, what a server sends of it to a browser that takes it compressed.
 *
 * Of what was written: until then other plugins still put things in.
 */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle({ dir }, bundle) {
      for (const { fileName } of Object.values(bundle)) {
        const path = join(dir ?? "", fileName);
        const source = readFileSync(path);
        if (source.length < SMALLEST) continue;
        const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
        writeFileSync(`${path}.br`, brotliCompressSync(source, quality));
        writeFileSync(`${path}.gz`, gzipSync(source, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  // The server may stand below a prefix of another's.
  base: "./",
  resolve: { alias },
  plugins: [react(), compressed()],
  build: {
    outDir: "../../server/static/pages",
    emptyOutDir: true,
    target: "es2022",
    // A policy without inline scripts and data URLs: everything is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: readdirSync(import.meta.dirname)
        .filter(name => name.endsWith(".html"))
        .map(name => `${import.meta.dirname}/${name}`),
    },
  },
});
