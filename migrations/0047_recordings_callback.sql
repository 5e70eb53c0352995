-- As in 0041: the index holds those on their way by their call, and not by the tenant, whom row
-- security asks for anyway.
SET ROLE furrow_owner;
DROP INDEX recordings_callback;
CREATE INDEX recordings_callback ON recordings (call_id) WHERE pipeline = 'callback' AND state IN
    ('live', 'finished', 'stored', 'transcribed');
RESET ROLE;
