-- What a step tells is one row: the events of a step are written and read together, and a row each
-- cost as much as all else of a webhook. Who asks for events asks the view, as before; what is there
-- stays as it is.
SET ROLE furrow_owner;
ALTER TABLE call_events RENAME TO call_steps;
ALTER INDEX call_events_call RENAME TO call_steps_call;
DO $$
DECLARE
    part text;
BEGIN
    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'call_steps'::regclass LOOP
        EXECUTE format('ALTER TABLE %I RENAME TO %I', part,
                       replace(part, 'call_events', 'call_steps'));
    END LOOP;
END $$;
ALTER TABLE call_steps
    ADD COLUMN events json, -- [{"kind", "node", "data"}]; null: an older row, one event by itself
    ALTER COLUMN kind DROP NOT NULL,
    ALTER COLUMN node DROP NOT NULL,
    ALTER COLUMN node DROP DEFAULT,
    ALTER COLUMN data DROP NOT NULL,
    ALTER COLUMN data DROP DEFAULT,
    ADD CONSTRAINT call_steps_events CHECK ((events IS NULL) = (kind IS NOT NULL)) NOT VALID;

-- The ids of a step's events are its own with their place at the end: in the order they happened.
CREATE VIEW call_events WITH (security_invoker = true) AS
SELECT s.id, s.tenant_id, s.call_id, s.seq, s.kind, s.node, s.data, s.at
  FROM call_steps s WHERE s.events IS NULL
UNION ALL
SELECT (left(s.id::text, 32) || lpad(to_hex(e.place), 4, '0'))::uuid, s.tenant_id, s.call_id, s.seq,
       e.event->>'kind', coalesce(e.event->>'node', ''), coalesce(e.event->'data', '{}')::jsonb, s.at
  FROM call_steps s, json_array_elements(s.events) WITH ORDINALITY e(event, place)
 WHERE s.events IS NOT NULL;
GRANT SELECT ON call_events TO furrow_app;

CREATE OR REPLACE FUNCTION furrow_make_partition(parent text, month timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first timestamptz := date_trunc('month', month, 'UTC');
    part text := parent || '_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    IF parent NOT IN ('attempts', 'calls', 'call_steps', 'decisions') THEN
        RAISE EXCEPTION 'no partitioned table %', parent;
    END IF;
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part,
                   parent, furrow_uuid_floor(first),
                   furrow_uuid_floor(first + interval '1 month'));
    RETURN true;
END $$;
RESET ROLE;
