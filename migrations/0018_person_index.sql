-- The index by person leads with the person. One that leads with the tenant looks good to a planner
-- that has not counted the table yet, which is when an import is still running, and then each
-- number that is called reads all persons of the tenant.
SET ROLE furrow_owner;
DROP INDEX contacts_person;
CREATE INDEX contacts_person ON contacts (person) INCLUDE (tenant_id, phone)
    WHERE person IS NOT NULL;
RESET ROLE;
