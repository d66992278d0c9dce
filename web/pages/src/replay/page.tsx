import type { Seat } from "../shared/seat.js";
import { showing } from "../shared/show.js";
import { Open } from "./Open.js";

export const show = showing<Seat>(seat => <Open seat={seat} />);
