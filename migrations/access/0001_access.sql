-- Who may come in. Kept apart from the log, because it is not history: a person can be forgotten
-- here, and the log then speaks of nobody. docs/security.md explains.

-- One row: the audience this server's own tokens are made for.
CREATE TABLE access (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    audience   TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

-- What the server's own tokens are signed with: the newest signs, the one before it still counts.
CREATE TABLE signing_key (
    number     INTEGER PRIMARY KEY,
    key_id     TEXT NOT NULL UNIQUE,
    secret     BLOB NOT NULL CHECK (length(secret) = 32),
    created_at TEXT NOT NULL
) STRICT;

-- A seat at a campaign. It beats what a token says: role NULL has been removed, and a token issued
-- before valid_from (Unix milliseconds) is no longer honoured.
CREATE TABLE member (
    campaign_id TEXT NOT NULL,
    member      TEXT NOT NULL,
    role        TEXT CHECK (role IN ('dm', 'player', 'spectator')),
    name        TEXT,
    issuer      TEXT,
    subject     TEXT,
    valid_from  INTEGER NOT NULL DEFAULT 0,
    changed_at  TEXT NOT NULL,
    PRIMARY KEY (campaign_id, member),
    CHECK ((issuer IS NULL) = (subject IS NULL))
) STRICT, WITHOUT ROWID;

-- A provider's user has one seat at a campaign.
CREATE UNIQUE INDEX member_subject ON member (issuer, subject, campaign_id)
    WHERE subject IS NOT NULL;

-- A link that seats whoever holds its secret, of which only the digest is kept.
CREATE TABLE invite (
    invite_id   TEXT PRIMARY KEY,
    digest      BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    campaign_id TEXT NOT NULL,
    member      TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('dm', 'player', 'spectator')),
    max_uses    INTEGER CHECK (max_uses > 0),
    uses        INTEGER NOT NULL DEFAULT 0,
    expires_at  INTEGER NOT NULL,
    lasts       INTEGER NOT NULL CHECK (lasts > 0),
    revoked     INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1)),
    created_at  TEXT NOT NULL
) STRICT;

CREATE INDEX invite_campaign ON invite (campaign_id);

-- Each use of an invite that has an end, by the id its browser gave: the same one may ask again for
-- what got lost.
CREATE TABLE joining (
    invite_id TEXT NOT NULL REFERENCES invite,
    digest    BLOB NOT NULL CHECK (length(digest) = 32),
    at        TEXT NOT NULL,
    PRIMARY KEY (invite_id, digest)
) STRICT, WITHOUT ROWID;
