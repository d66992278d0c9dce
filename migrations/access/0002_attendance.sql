-- Who was at a campaign, and when. It is about people and no history, so it stands here: the log
-- speaks of opaque ids alone, and forgetting somebody takes these rows away.

-- One row for each member and session, or day (UTC) where there was no session.
CREATE TABLE attendance (
    campaign_id TEXT NOT NULL,
    -- The version of the session's campaign.activated; 0: none was on, and day says which day.
    session     INTEGER NOT NULL CHECK (session >= 0),
    day         TEXT NOT NULL CHECK ((day = '') = (session > 0)),
    role        TEXT NOT NULL CHECK (role IN ('dm', 'player', 'spectator')),
    -- Those who have no name share the seat that bears the name of their role.
    member      TEXT NOT NULL,
    -- The most that were there at once, of those who share a seat; else 1.
    people      INTEGER NOT NULL CHECK (people > 0),
    first_at    TEXT NOT NULL,
    last_at     TEXT NOT NULL,
    -- The newest version they said they hold, and the newest they were sent; 0: none.
    held        INTEGER NOT NULL CHECK (held >= 0),
    sent        INTEGER NOT NULL CHECK (sent >= 0),
    PRIMARY KEY (campaign_id, session, day, role, member)
) STRICT, WITHOUT ROWID;

CREATE INDEX attendance_member ON attendance (member, campaign_id);

-- Since when nothing is known of who had this seat, however long their connections last.
ALTER TABLE member ADD COLUMN forgotten_at TEXT;
