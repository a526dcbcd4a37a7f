-- What the monitor keeps between its runs. Its checkpoints and those of the scan know nothing of each other.

-- How far each chain was watched by runs that wholly succeeded.
CREATE TABLE monitor_checkpoints (
    chain_id      INTEGER PRIMARY KEY,
    block_number  INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;

-- System events that a receiver has taken, so that it gets none twice.
CREATE TABLE monitor_handled_events (
    receiver      TEXT NOT NULL,
    -- SHA-256 of the event
    event_id      TEXT NOT NULL,
    chain_id      INTEGER NOT NULL,
    block_number  INTEGER NOT NULL,
    -- the event as JSON
    event         TEXT NOT NULL,
    handled_at_ms INTEGER NOT NULL,
    PRIMARY KEY (receiver, event_id)
) STRICT;

CREATE INDEX monitor_handled_block ON monitor_handled_events (chain_id, block_number);

-- What single monitors remember, as JSON.
CREATE TABLE monitor_state (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- The runs; the one that is under way has no end yet.
CREATE TABLE monitor_runs (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    -- who runs it
    owner          TEXT NOT NULL,
    started_at_ms  INTEGER NOT NULL,
    -- without a further sign of life it counts as dead from then on
    alive_until_ms INTEGER NOT NULL,
    finished_at_ms INTEGER,
    -- its report, as JSON
    report         TEXT
) STRICT;

CREATE INDEX monitor_runs_open ON monitor_runs (alive_until_ms) WHERE finished_at_ms IS NULL;
