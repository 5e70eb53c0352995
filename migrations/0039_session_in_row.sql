-- A session's state changes in a few bytes at every step. In its row, with room on the
-- page for the next version, a step writes those bytes; beside the table it would be
-- written anew, with an index entry for each piece.
SET ROLE furrow_owner;
ALTER TABLE ivr_sessions ALTER COLUMN state SET STORAGE MAIN;
ALTER TABLE ivr_sessions SET (fillfactor = 40, toast_tuple_target = 8160);
RESET ROLE;
