import { showingCampaign } from "../shared/show.js";
import { Play } from "./Play.js";

export const show = showingCampaign(seat => <Play seat={seat} />);
