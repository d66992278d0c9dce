-- The log, and what stands beside it. Readable with the sqlite3 shell; docs/log-format.md explains.

-- One row: who this store is, and the secret its positions are proved with.
CREATE TABLE store (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    store_id   TEXT NOT NULL,
    secret     BLOB NOT NULL CHECK (length(secret) = 32),
    created_at TEXT NOT NULL
) STRICT;

-- The head of every log, kept beside it so that a cut tail shows, and what lists of campaigns need.
CREATE TABLE campaign (
    campaign_id  TEXT PRIMARY KEY,
    title        TEXT,
    created_at   TEXT NOT NULL,
    last_at      TEXT NOT NULL,
    head_version INTEGER NOT NULL DEFAULT 0,
    head_hash    TEXT NOT NULL,
    active_table TEXT
) STRICT, WITHOUT ROWID;

-- A table seats at most one campaign.
CREATE UNIQUE INDEX campaign_seat ON campaign (active_table) WHERE active_table IS NOT NULL;

CREATE TABLE event (
    campaign_id TEXT NOT NULL REFERENCES campaign,
    version     INTEGER NOT NULL CHECK (version > 0),
    id          TEXT NOT NULL,
    kind        TEXT NOT NULL,
    member      TEXT NOT NULL,
    role        TEXT NOT NULL,
    at          TEXT NOT NULL,
    patch       TEXT NOT NULL,
    data        TEXT NOT NULL,
    meta        TEXT NOT NULL,
    request     TEXT NOT NULL,
    schema      INTEGER NOT NULL,
    hash        TEXT NOT NULL,
    PRIMARY KEY (campaign_id, version)
) STRICT;

-- An id is scoped to its actor: one commit, however often it is sent.
CREATE UNIQUE INDEX event_id ON event (campaign_id, member, role, id);

-- Disposable: deleting every row loses nothing but time.
CREATE TABLE snapshot (
    campaign_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    hash        TEXT NOT NULL,
    state       TEXT NOT NULL,
    PRIMARY KEY (campaign_id, version)
) STRICT;

-- INSERT OR REPLACE walks past a DELETE trigger, so what it would replace is looked for beforehand;
-- asking for the next version covers the primary key and refuses gaps.
CREATE TRIGGER event_follows BEFORE INSERT ON event
BEGIN
    SELECT RAISE(ABORT, 'an event follows the head of its log')
    WHERE NEW.version IS NOT
        (SELECT head_version + 1 FROM campaign WHERE campaign_id = NEW.campaign_id);
    SELECT RAISE(ABORT, 'events are never replaced')
    WHERE EXISTS (SELECT 1 FROM event WHERE rowid = NEW.rowid)
        OR EXISTS (
            SELECT 1 FROM event
            WHERE campaign_id = NEW.campaign_id AND member = NEW.member AND role = NEW.role
                AND id = NEW.id
        );
END;

CREATE TRIGGER event_moves_head AFTER INSERT ON event
BEGIN
    UPDATE campaign SET head_version = NEW.version, head_hash = NEW.hash, last_at = NEW.at
    WHERE campaign_id = NEW.campaign_id;
END;

CREATE TRIGGER event_never_changes BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;

CREATE TRIGGER event_never_goes BEFORE DELETE ON event
BEGIN
    SELECT RAISE(ABORT, 'events are never deleted');
END;
