import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type HtmlTagDescriptor, type Plugin, type Rolldown } from "vite";
import { alias } from "../vite.alias.js";

const SMALLEST = 512;

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

/**
 * In each page, links to all the scripts it will want: what a page shows is asked for by its first
 * script, and would else only then be fetched.
 */
function fetchedAhead(): Plugin {
  return {
    name: "fetched-ahead",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle, chunk: entry }) {
        const chunk = (name: string): Rolldown.OutputChunk | null => {
          const found = bundle?.[name];
          return found?.type === "chunk" ? found : null;
        };
        const withImports = (name: string, known: Set<string>): Set<string> => {
          if (known.has(name)) return known;
          known.add(name);
          for (const each of chunk(name)?.imports ?? []) withImports(each, known);
          return known;
        };
        if (entry === undefined) return [];
        const first = withImports(entry.fileName, new Set());
        const all = new Set(first);
        for (const name of [...first].flatMap(each => chunk(each)?.dynamicImports ?? [])) {
          if (chunk(name)?.facadeModuleId?.endsWith("/page.tsx")) withImports(name, all);
        }
        all.delete(entry.fileName);
        return [...all].map((name): HtmlTagDescriptor => {
          // What makes the connection goes first: the rest is not there before the game is.
          const later = first.has(name) ? {} : { fetchpriority: "low" };
          const attrs = { rel: "modulepreload", href: `./${name}`, ...later };
          return { tag: "link", attrs, injectTo: "head" };
        });
      },
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  // The server may stand below a prefix of another's.
  base: "./",
  resolve: { alias },
  plugins: [react(), fetchedAhead(), compressed()],
  build: {
    outDir: "../../server/static/pages",
    emptyOutDir: true,
    target: "es2022",
    // A policy without inline scripts and data URLs: everything is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      input: readdirSync(import.meta.dirname)
        .filter(name => name.endsWith(".html"))
        .map(name => `${import.meta.dirname}/${name}`),
    },
  },
});
