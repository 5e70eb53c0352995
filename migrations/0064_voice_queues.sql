-- Calls at providers that wait in a queue: which one, and whose phone rings for them.
SET ROLE furrow_owner;
ALTER TABLE voice_sessions ADD COLUMN queue text NOT NULL DEFAULT '';
ALTER TABLE voice_sessions ADD COLUMN queue_priority int NOT NULL DEFAULT 0;
ALTER TABLE voice_sessions ADD COLUMN agent text NOT NULL DEFAULT '';
RESET ROLE;
