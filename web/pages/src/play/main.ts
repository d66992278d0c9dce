import { enter, follow } from "../shared/enter.js";
import { firstView } from "./first.js";

enter("player", {
  sit: follow("player"),
  meanwhile: firstView,
  load: () => import("./page.js"),
});
