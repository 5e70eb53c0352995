-- A step changes a few bytes of a session. What of a new version is the old one's end is not
-- logged again, so the state is the last column: behind a time it was logged whole, at every step.
-- Two sessions of some kilobytes share a page, with room for one more version.
SET ROLE furrow_owner;
CREATE TABLE ivr_sessions_lean (
    call_id uuid CONSTRAINT ivr_sessions_lean_pkey PRIMARY KEY,
    tenant_id int NOT NULL,
    seq int NOT NULL,
    status text NOT NULL,
    updated_at timestamptz NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 65, toast_tuple_target = 8160);
ALTER TABLE ivr_sessions_lean ALTER COLUMN state SET STORAGE MAIN;
CALL furrow_tenant_table('ivr_sessions_lean');
ALTER TABLE ivr_sessions NO FORCE ROW LEVEL SECURITY;
ALTER TABLE ivr_sessions_lean NO FORCE ROW LEVEL SECURITY;
INSERT INTO ivr_sessions_lean (call_id, tenant_id, seq, status, updated_at, state)
SELECT call_id, tenant_id, seq, status, updated_at, state FROM ivr_sessions;
ALTER TABLE ivr_sessions_lean FORCE ROW LEVEL SECURITY;
DROP TABLE ivr_sessions;
ALTER TABLE ivr_sessions_lean RENAME TO ivr_sessions;
ALTER TABLE ivr_sessions RENAME CONSTRAINT ivr_sessions_lean_pkey TO ivr_sessions_pkey;

-- A step's events are read by their call; nobody asks for one by its id. That
-- index was half of what a step's indexes cost.
ALTER TABLE call_events DROP CONSTRAINT call_events_pkey;
ALTER TABLE call_events ALTER COLUMN id SET NOT NULL;
RESET ROLE;
