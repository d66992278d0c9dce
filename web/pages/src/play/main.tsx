import { openPage } from "../shared/open.js";
import { Play } from "./Play.js";

openPage("player", seat => <Play seat={seat} />);
