import { enter } from "../shared/enter.js";

enter("dm", { sit: seat => seat, load: () => import("./page.js") });
