import { openPage } from "../shared/open.js";
import { Dm } from "./Dm.js";

openPage("dm", seat => <Dm seat={seat} />);
