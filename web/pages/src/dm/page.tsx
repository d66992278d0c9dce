import { showingCampaign } from "../shared/show.js";
import { Dm } from "./Dm.js";

export const show = showingCampaign(seat => <Dm seat={seat} />);
