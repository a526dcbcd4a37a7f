-- Redeem & unstake: who whitelists auxiliary workers (null without a redeem pool), and what pays an unstake. Each start
-- reads both from the contracts again before anything is acted upon; the zero address stands until then.
ALTER TABLE gateways ADD COLUMN pool_organization_address TEXT;
ALTER TABLE gateways ADD COLUMN stake_vault_address TEXT NOT NULL
    DEFAULT '0x0000000000000000000000000000000000000000';
