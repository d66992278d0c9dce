import { fileURLToPath } from "node:url";

/** The packages of this workspace, from their sources: nothing is to be built before. */
export const alias = {
  "@questlog/client": fileURLToPath(new URL("sdk/src/index.ts", import.meta.url)),
  "@questlog/react": fileURLToPath(new URL("react/src/index.tsx", import.meta.url)),
};
