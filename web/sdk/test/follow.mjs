// Follows a campaign by one way and prints each version as a line of JSON; proposes something once
// it is live. What a program in Node would do, for the tests of the real server.

import { CampaignClient } from "../dist/index.js";

const [url, campaignId, token, way] = process.argv.slice(2);
const client = new CampaignClient({
  url,
  campaignId,
  ways: [way],
  getToken: async () => token,
  patience: { poll: 2_000 },
});
let printed = "";
let proposed = false;
client.subscribe(() => {
  const { version, document, connection, company } = client.view;
  const states = company.suggestions.map(each => each.state);
  const line = JSON.stringify({
    state: connection.state,
    way: connection.way,
    version,
    document,
    states,
  });
  if (line !== printed) console.log(line);
  printed = line;
  if (connection.state === "live" && !proposed) {
    proposed = true;
    client.suggest("I hide.").catch(error => console.log(JSON.stringify({ error: error.message })));
  }
});
client.start();
