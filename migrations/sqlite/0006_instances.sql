-- The instances of one operator that share this database, their life and who judges it. The names of statuses and
-- statistics are those of the heartbeat specification.

-- Parameters of the life cycle, the same for all instances: the first start stores its configuration, then this counts.
CREATE TABLE parameters (
    name          TEXT PRIMARY KEY,
    value         INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE instances (
    id                        INTEGER PRIMARY KEY AUTOINCREMENT,
    name                      TEXT NOT NULL UNIQUE,
    host                      TEXT NOT NULL,
    weight                    INTEGER NOT NULL,
    status                    TEXT NOT NULL
        CHECK (status IN ('inactive', 'active', 'request_maintenance', 'in_maintenance', 'deregistered')),
    since_ms                  INTEGER NOT NULL,
    -- 1 while it says that it could work
    ready                     INTEGER NOT NULL,
    last_tick_ms              INTEGER,
    registered_at_ms          INTEGER NOT NULL,
    txs_signed                INTEGER NOT NULL,
    total_txs_signed          INTEGER NOT NULL,
    total_downtime_ms         INTEGER NOT NULL,
    -- of a maintenance that has ended and that no tick has seen yet
    ended_downtime_ms         INTEGER NOT NULL,
    last_down_timestamp_ms    INTEGER,
    last_active_timestamp_ms  INTEGER,
    deregistered_timestamp_ms INTEGER,
    missed_heartbeats         INTEGER NOT NULL,
    total_inactive_ms         INTEGER NOT NULL,
    total_voted_time_ms       INTEGER NOT NULL
) STRICT;

-- The worker keys of each instance, as it last started.
CREATE TABLE instance_keys (
    instance_id    INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    chain_id       INTEGER NOT NULL,
    account        TEXT NOT NULL,
    last_active_ms INTEGER,
    PRIMARY KEY (instance_id, chain_id, account)
) STRICT;

CREATE INDEX instance_keys_account ON instance_keys (chain_id, account);

-- Every heartbeat, also one that was refused; old ones are removed.
CREATE TABLE heartbeats (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id    INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    sent_at_ms     INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    status         TEXT NOT NULL,
    -- none if it was accepted
    refusal        TEXT
) STRICT;

CREATE INDEX heartbeats_instance ON heartbeats (instance_id, id);
CREATE INDEX heartbeats_received ON heartbeats (received_at_ms);

-- Every change of status with its reason.
CREATE TABLE status_transitions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    at_ms       INTEGER NOT NULL,
    from_status TEXT NOT NULL,
    to_status   TEXT NOT NULL,
    reason      TEXT NOT NULL
) STRICT;

CREATE INDEX status_transitions_instance ON status_transitions (instance_id, id);

-- Proposals to de-register an instance.
CREATE TABLE proposals (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    target_id     INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    proposer_id   INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    created_at_ms INTEGER NOT NULL,
    ticks         INTEGER NOT NULL,
    -- open, approved, dropped or expired
    state         TEXT NOT NULL,
    closed_at_ms  INTEGER
) STRICT;

CREATE UNIQUE INDEX proposals_open ON proposals (target_id) WHERE state = 'open';

CREATE TABLE proposal_approvals (
    proposal_id INTEGER NOT NULL REFERENCES proposals (id) ON DELETE CASCADE,
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (proposal_id, instance_id)
) STRICT;

-- What each instance had signed when a reward run began its count anew.
CREATE TABLE reward_payouts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    at_ms       INTEGER NOT NULL,
    txs_signed  INTEGER NOT NULL
) STRICT;

-- At most one row: who changes it tends all instances, one at a time.
CREATE TABLE maintenance (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    next_tick_at_ms   INTEGER,
    next_reward_at_ms INTEGER,
    tended_at_ms      INTEGER NOT NULL
) STRICT;

-- How often a request was claimed: what was found out under an earlier claim is not stored any more.
ALTER TABLE requests ADD COLUMN claim_seq INTEGER NOT NULL DEFAULT 0;

-- The instance that claimed it last. Once a secret is locked the others leave it alone while that one works, so that
-- bounties come back to the keys that paid them.
ALTER TABLE requests ADD COLUMN holder TEXT;
