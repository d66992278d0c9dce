import { enter } from "../shared/enter.js";

enter("dm", { sit: (seat, signIn) => ({ seat, signIn }), load: () => import("./page.js") });
