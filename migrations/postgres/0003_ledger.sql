-- What the ledger needs beside journal and events.

-- What each gateway pair moves that was ever configured and read: the ledger names the assets of the past too.
CREATE TABLE gateway_assets (
    origin_chain_id       BIGINT NOT NULL,
    auxiliary_chain_id    BIGINT NOT NULL,
    gateway_address       TEXT NOT NULL,
    cogateway_address     TEXT NOT NULL,
    composer_address      TEXT NOT NULL,
    redeem_pool_address   TEXT,
    value_token_address   TEXT NOT NULL,
    base_token_address    TEXT NOT NULL,
    utility_token_address TEXT NOT NULL,
    mints                 TEXT NOT NULL,
    PRIMARY KEY (origin_chain_id, auxiliary_chain_id, gateway_address, cogateway_address)
);

INSERT INTO gateway_assets (origin_chain_id, auxiliary_chain_id, gateway_address, cogateway_address, composer_address,
    redeem_pool_address, value_token_address, base_token_address, utility_token_address, mints)
SELECT origin_chain_id, auxiliary_chain_id, gateway_address, cogateway_address, composer_address, redeem_pool_address,
    value_token_address, base_token_address, utility_token_address, mints
FROM gateways WHERE value_token_address <> '0x0000000000000000000000000000000000000000';

-- Rare, and asked for with every ledger.
CREATE INDEX events_bounty ON events (chain_id, block_number) WHERE name = 'BountyChangeConfirmed';
