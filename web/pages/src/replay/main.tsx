import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Open } from "./Open.js";

const page = document.getElementById("page");
if (page !== null) {
  createRoot(page).render(
    <StrictMode>
      <Open />
    </StrictMode>,
  );
}
