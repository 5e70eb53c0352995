-- "Call me tomorrow at five": a recording that is understood as a time to call back.
SET ROLE furrow_owner;
ALTER TABLE recordings DROP CONSTRAINT recordings_pipeline_check,
    ADD CONSTRAINT recordings_pipeline_check
        CHECK (pipeline IN ('none', 'transcribe', 'command', 'callback'));
-- Those on their way: a campaign is not over while one of its calls may promise another.
CREATE INDEX recordings_callback ON recordings (tenant_id, call_id) WHERE pipeline =
    'callback' AND state IN ('live', 'finished', 'stored', 'transcribed');
RESET ROLE;
