import { enter, follow } from "../shared/enter.js";

enter("dm", { sit: follow("dm"), load: () => import("./page.js") });
