-- The first schema. Amounts are decimal text (they exceed 64 bits), hashes and addresses lower-case hexadecimal text,
-- times Unix milliseconds, truth 0 or 1. A database belongs to one pair of chains.

-- What the database is about: the chain pair.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- The contracts of each configured gateway pair.
CREATE TABLE gateways (
    origin_chain_id               INTEGER NOT NULL,
    auxiliary_chain_id            INTEGER NOT NULL,
    gateway_address               TEXT NOT NULL,
    cogateway_address             TEXT NOT NULL,
    composer_address              TEXT NOT NULL,
    redeem_pool_address           TEXT,
    anchor_address                TEXT NOT NULL,
    co_anchor_address             TEXT NOT NULL,
    composer_organization_address TEXT NOT NULL,
    value_token_address           TEXT NOT NULL,
    base_token_address            TEXT NOT NULL,
    utility_token_address         TEXT NOT NULL,
    mints                         TEXT NOT NULL,
    message_box_offset            INTEGER NOT NULL,
    updated_at_ms                 INTEGER NOT NULL,
    PRIMARY KEY (origin_chain_id, auxiliary_chain_id, gateway_address)
) STRICT;

-- One row for each request event; the request hash alone may repeat.
CREATE TABLE requests (
    id                       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind                     TEXT NOT NULL CHECK (kind IN ('stake', 'redeem')),
    state                    TEXT NOT NULL,
    -- 1 in an end state
    done                     INTEGER NOT NULL DEFAULT 0,
    origin_chain_id          INTEGER NOT NULL,
    auxiliary_chain_id       INTEGER NOT NULL,
    -- composer or redeem pool
    pool_address             TEXT NOT NULL,
    -- what was asked for
    amount                   TEXT NOT NULL,
    beneficiary              TEXT NOT NULL,
    gas_price                TEXT NOT NULL,
    gas_limit                TEXT NOT NULL,
    nonce                    TEXT NOT NULL,
    sender                   TEXT NOT NULL,
    sender_proxy             TEXT NOT NULL,
    -- gateway (stake) or cogateway (redeem) that the request names
    gateway_address          TEXT NOT NULL,
    request_hash             TEXT NOT NULL,
    -- where the event stands
    event_chain_id           INTEGER NOT NULL,
    event_block_number       INTEGER NOT NULL,
    event_block_hash         TEXT NOT NULL,
    event_tx_hash            TEXT NOT NULL,
    event_log_index          INTEGER NOT NULL,
    -- 1 while a reorg has removed the event of a request that was already acted upon
    orphaned                 INTEGER NOT NULL DEFAULT 0,
    -- the present attempt
    attempt                  INTEGER NOT NULL DEFAULT 0,
    hash_lock                TEXT,
    message_hash             TEXT,
    message_sender           TEXT,
    -- only once the chain has published it
    unlock_secret            TEXT,
    origin_worker_address    TEXT,
    auxiliary_worker_address TEXT,
    declared_block           INTEGER,
    proof_height             INTEGER,
    bounty                   TEXT,
    reward                   TEXT,
    paid_out                 TEXT,
    -- status of both boxes as last read: a cache, the chain decides
    outbox_status            TEXT,
    inbox_status             TEXT,
    status_checked_at_ms     INTEGER,
    -- the calendar
    failures                 INTEGER NOT NULL DEFAULT 0,
    -- looks in a row that found it not possible yet
    holds                    INTEGER NOT NULL DEFAULT 0,
    -- when it was last begun anew, by the operator or by what the chain said: what failed before counts no more
    retried_at_ms            INTEGER,
    last_error               TEXT,
    waiting_for              TEXT,
    ready                    INTEGER NOT NULL DEFAULT 1,
    retry_at_ms              INTEGER,
    wait_kind                TEXT NOT NULL DEFAULT 'nothing',
    wait_chain_id            INTEGER,
    wait_anchor              TEXT,
    wait_block               INTEGER,
    wakes                    INTEGER NOT NULL DEFAULT 0,
    claimed_by               TEXT,
    pid                      INTEGER,
    created_at_ms            INTEGER NOT NULL,
    updated_at_ms            INTEGER NOT NULL,
    UNIQUE (event_chain_id, pool_address, event_tx_hash, event_log_index)
) STRICT;

-- In the order of claiming: first those with money locked.
CREATE INDEX requests_ready ON requests ((declared_block IS NULL), id) WHERE done = 0 AND claimed_by IS NULL
    AND ready = 1 AND (orphaned = 0 OR declared_block IS NOT NULL);
CREATE INDEX requests_retry ON requests (retry_at_ms) WHERE done = 0 AND claimed_by IS NULL AND retry_at_ms IS NOT NULL;
CREATE INDEX requests_unfinished ON requests (created_at_ms) WHERE done = 0;
CREATE INDEX requests_claimed ON requests (claimed_by) WHERE claimed_by IS NOT NULL;
CREATE INDEX requests_root ON requests (wait_chain_id, wait_anchor, wait_block) WHERE done = 0 AND wait_kind = 'root';
CREATE INDEX requests_proof ON requests (proof_height) WHERE done = 0 AND proof_height IS NOT NULL;
CREATE INDEX requests_message ON requests (message_hash);
CREATE INDEX requests_hash ON requests (request_hash, pool_address);
CREATE INDEX requests_nonce ON requests (gateway_address, sender_proxy, nonce);
CREATE INDEX requests_block ON requests (event_chain_id, event_block_number);
CREATE INDEX requests_state ON requests (state, kind);
CREATE INDEX requests_in_flight ON requests (origin_chain_id, origin_worker_address, auxiliary_chain_id,
    auxiliary_worker_address, kind, declared_block, orphaned, done, hash_lock)
    WHERE done = 0 AND hash_lock IS NOT NULL;

-- The life of a request, for its operator.
CREATE TABLE request_log (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id INTEGER NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    at_ms      INTEGER NOT NULL,
    state      TEXT NOT NULL,
    text       TEXT NOT NULL
) STRICT;

CREATE INDEX request_log_request ON request_log (request_id, id);

-- How far each chain is scanned; moves only together with its events.
CREATE TABLE checkpoints (
    chain_id      INTEGER PRIMARY KEY,
    block_number  INTEGER NOT NULL,
    block_hash    TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;

-- Blocks whose hashes are remembered, to notice and follow reorgs.
CREATE TABLE blocks (
    chain_id    INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    hash        TEXT NOT NULL,
    parent_hash TEXT NOT NULL,
    PRIMARY KEY (chain_id, number)
) STRICT;

CREATE TABLE events (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    chain_id     INTEGER NOT NULL,
    block_number INTEGER NOT NULL,
    block_hash   TEXT NOT NULL,
    tx_hash      TEXT NOT NULL,
    tx_index     INTEGER NOT NULL,
    log_index    INTEGER NOT NULL,
    address      TEXT NOT NULL,
    name         TEXT NOT NULL,
    message_hash TEXT,
    request_hash TEXT,
    -- the event as JSON
    data         TEXT NOT NULL,
    UNIQUE (chain_id, block_hash, log_index)
) STRICT;

CREATE INDEX events_block ON events (chain_id, block_number);
CREATE INDEX events_message ON events (message_hash) WHERE message_hash IS NOT NULL;
CREATE INDEX events_request ON events (request_hash) WHERE request_hash IS NOT NULL;

-- State roots of the other chain that an anchor has published.
CREATE TABLE anchored_roots (
    chain_id     INTEGER NOT NULL,
    anchor       TEXT NOT NULL,
    height       INTEGER NOT NULL,
    root         TEXT NOT NULL,
    block_number INTEGER NOT NULL,
    block_hash   TEXT NOT NULL,
    PRIMARY KEY (chain_id, anchor, height)
) STRICT;

CREATE INDEX anchored_roots_block ON anchored_roots (chain_id, block_number);

-- Gateway proofs: made by a worker, proven on chain.
CREATE TABLE proofs (
    -- the proven chain and contract
    chain_id      INTEGER NOT NULL,
    contract      TEXT NOT NULL,
    height        INTEGER NOT NULL,
    state_root    TEXT,
    storage_root  TEXT,
    rlp_account   TEXT,
    account_nodes TEXT,
    -- block of the other chain in which it was proven
    proven_block  INTEGER,
    PRIMARY KEY (chain_id, contract, height)
) STRICT;

-- The journal of transactions.
CREATE TABLE transactions (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    intent            TEXT NOT NULL,
    request_id        INTEGER REFERENCES requests (id) ON DELETE SET NULL,
    chain_id          INTEGER NOT NULL,
    step              TEXT NOT NULL,
    account           TEXT,
    to_address        TEXT NOT NULL,
    value             TEXT NOT NULL,
    -- none where it would reveal a secret before the chain does
    calldata          TEXT,
    visibility        TEXT NOT NULL,
    after_intent      TEXT,
    allowance_token   TEXT,
    allowance_spender TEXT,
    allowance_amount  TEXT,
    expect            TEXT,
    state             TEXT NOT NULL,
    nonce             INTEGER,
    -- the attempt that was mined
    hash              TEXT,
    block_number      INTEGER,
    block_hash        TEXT,
    gas_used          INTEGER,
    gas_price         TEXT,
    failure_kind      TEXT,
    failure           TEXT,
    failure_detail    TEXT,
    waiting_for       TEXT,
    created_at_ms     INTEGER NOT NULL,
    updated_at_ms     INTEGER NOT NULL
) STRICT;

-- One live entry an intent, and one an account and nonce.
CREATE UNIQUE INDEX transactions_live ON transactions (chain_id, intent) WHERE state <> 'failed';
CREATE UNIQUE INDEX transactions_nonce ON transactions (chain_id, account, nonce)
    WHERE nonce IS NOT NULL AND state <> 'failed';
CREATE INDEX transactions_intent ON transactions (chain_id, intent, id);
CREATE INDEX transactions_open ON transactions (chain_id, id) WHERE state IN ('queued', 'signed', 'broadcast', 'mined');
CREATE INDEX transactions_account ON transactions (chain_id, account, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX transactions_step ON transactions (step, to_address);
CREATE INDEX transactions_request ON transactions (request_id) WHERE request_id IS NOT NULL;

-- Every signed transaction; a replacement is a further attempt with the same nonce.
CREATE TABLE attempts (
    transaction_id  INTEGER NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    number          INTEGER NOT NULL,
    hash            TEXT NOT NULL UNIQUE,
    raw             TEXT NOT NULL,
    gas_limit       INTEGER NOT NULL,
    -- gas price for chains without a base fee, else the two others
    gas_price       TEXT,
    max_fee         TEXT,
    max_priority    TEXT,
    signed_at_ms    INTEGER NOT NULL,
    broadcast_at_ms INTEGER,
    broadcast_block INTEGER,
    PRIMARY KEY (transaction_id, number)
) STRICT;

-- The requests that a transaction's end wakes.
CREATE TABLE waiters (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    request_id     INTEGER NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    PRIMARY KEY (transaction_id, request_id)
) STRICT;

CREATE INDEX waiters_request ON waiters (request_id);

-- The processes that run on this database.
CREATE TABLE processes (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL,
    -- name of the instance that it belongs to
    instance        TEXT NOT NULL,
    -- the chain of a scanner or sender; none for a parent
    chain_id        INTEGER,
    host            TEXT NOT NULL,
    pid             INTEGER NOT NULL,
    -- tells a process from a later one with the same number
    pid_started     TEXT NOT NULL,
    config          TEXT,
    started_at_ms   INTEGER NOT NULL,
    heartbeat_at_ms INTEGER NOT NULL,
    -- how things stand by the process' own word, as JSON
    detail          TEXT
) STRICT;

-- The worker keys that a process uses: each by one living process of a kind.
CREATE TABLE process_keys (
    process_id INTEGER NOT NULL REFERENCES processes (id) ON DELETE CASCADE,
    chain_id   INTEGER NOT NULL,
    account    TEXT NOT NULL,
    PRIMARY KEY (process_id, chain_id, account)
) STRICT;

-- Who may sign for an account; the token only grows, and a signature is stored only with the present one.
CREATE TABLE leases (
    chain_id      INTEGER NOT NULL,
    account       TEXT NOT NULL,
    owner         TEXT NOT NULL,
    token         INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (chain_id, account)
) STRICT;
