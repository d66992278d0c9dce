-- Where sessions begin and end is asked for often, and a log holds few such events among many. The
-- index has these alone, so that every other append costs what it did.
CREATE INDEX event_turn ON event (campaign_id, version)
    WHERE kind IN ('campaign.activated', 'campaign.deactivated', 'campaign.forked');
