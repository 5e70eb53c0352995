-- A call that a machine answered is no call that was answered by a person: it counts neither as
-- answered nor as abandoned.
SET ROLE furrow_owner;
ALTER TABLE agent_calls
    ADD COLUMN machine boolean NOT NULL DEFAULT false, -- heard as one
    DROP CONSTRAINT agent_calls_result_check,
    ADD CONSTRAINT agent_calls_result_check CHECK (result IN
        ('', 'connected', 'late', 'abandoned', 'machine', 'unanswered', 'withdrawn'));
RESET ROLE;
