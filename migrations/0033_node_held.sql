-- What a dialer says of itself, and what people say to it.
SET ROLE furrow_owner;
ALTER TABLE node_slots
    ADD COLUMN held text NOT NULL DEFAULT '',         -- why it places no calls; '' it does
    ADD COLUMN drained boolean NOT NULL DEFAULT false; -- by hand: no new calls from there
RESET ROLE;
