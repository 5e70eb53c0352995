-- How dialers, each with its Asterisk, share the calls: what each says of itself.
SET ROLE furrow_owner;
ALTER TABLE node_slots
    ADD COLUMN ready boolean NOT NULL DEFAULT true, -- its Asterisk is there, if it has one
    ADD COLUMN weight int NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
    ADD COLUMN priority int NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 100);
RESET ROLE;
