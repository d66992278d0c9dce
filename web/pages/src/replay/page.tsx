import { showingCampaign } from "../shared/show.js";
import { Open } from "./Open.js";

export const show = showingCampaign(seat => <Open seat={seat} />);
