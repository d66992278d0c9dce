import { defineConfig } from "vitest/config";
import { alias } from "./vite.alias.js";

export default defineConfig({
  resolve: { alias },
  test: { include: ["*/test/**/*.test.{ts,tsx}"], testTimeout: 60_000 },
});
