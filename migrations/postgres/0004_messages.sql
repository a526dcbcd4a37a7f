-- Every message of the configured gateways, whoever declared it, by the blocks in which its life went on; and requests
-- that were born from a message that somebody else left unfinished.

CREATE TABLE messages (
    kind                     TEXT NOT NULL CHECK (kind IN ('stake', 'redeem')),
    -- the box that it was declared in: gateway (stake) or cogateway (redeem)
    gateway_address          TEXT NOT NULL,
    message_hash             TEXT NOT NULL,
    sender                   TEXT NOT NULL,
    nonce                    TEXT NOT NULL,
    source_chain_id          BIGINT NOT NULL,
    target_chain_id          BIGINT NOT NULL,
    -- blocks of the source chain
    declared_block           BIGINT,
    source_progressed_block  BIGINT,
    revocation_block         BIGINT,
    reverted_block           BIGINT,
    -- blocks of the target chain
    confirmed_block          BIGINT,
    target_progressed_block  BIGINT,
    revocation_confirmed_block BIGINT,
    PRIMARY KEY (kind, gateway_address, message_hash)
);

CREATE INDEX messages_unfinished ON messages (declared_block) WHERE declared_block IS NOT NULL
    AND reverted_block IS NULL AND (source_progressed_block IS NULL OR target_progressed_block IS NULL);

-- 1 if it is no request event but a message that somebody else left unfinished: the event is its declaration, the pool
-- its gateway, the request hash its message hash.
ALTER TABLE requests ADD COLUMN hunted BIGINT NOT NULL DEFAULT 0;

CREATE INDEX requests_left_alone ON requests (updated_at_ms) WHERE hunted = 1 AND done = 1;
