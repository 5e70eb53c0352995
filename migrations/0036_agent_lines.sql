-- How long calls hold an agent: what those who wait in the queue are told is made of it. And
-- agents whose phone stays connected between calls.
SET ROLE furrow_owner;
ALTER TABLE agents
    ADD COLUMN talks int NOT NULL DEFAULT 0,      -- calls they had
    ADD COLUMN talk_ms bigint NOT NULL DEFAULT 0, -- mean of about the last 20, from the ring of their phone on
    ADD COLUMN line_id uuid,  -- of their open line, from this login
    ADD COLUMN line_slot int; -- the dialer that has it
RESET ROLE;
