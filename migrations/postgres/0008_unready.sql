-- Since when an instance says that it could not work; none while it could. One that works and says so for as long as it may
-- be silent makes room for another one that can.
ALTER TABLE instances ADD COLUMN unready_since_ms BIGINT;
