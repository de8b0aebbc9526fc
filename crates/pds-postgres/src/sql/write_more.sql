-- The parts of a write that most changes do not need: deletions, other refs and facts. A deletion
-- without names reads nothing, whatever its plan.
, dropped AS (
    DELETE FROM pds.block WHERE cardinality($21::bytea[]) > 0
        AND account = (SELECT id FROM moved) AND cid = ANY($21::bytea[])
), ref_set AS (
    INSERT INTO pds.ref (account, name, cid)
    SELECT moved.id, new.name, new.cid
    FROM moved, unnest($7::text[], $8::bytea[]) AS new (name, cid)
    WHERE new.name <> 'HEAD' AND new.cid IS NOT NULL
    ON CONFLICT (account, name) DO UPDATE SET cid = excluded.cid
), ref_removed AS (
    DELETE FROM pds.ref WHERE array_position($8::bytea[], NULL) IS NOT NULL
        AND account = (SELECT id FROM moved) AND name IN (
        SELECT old.name FROM unnest($7::text[], $8::bytea[]) AS old (name, cid) WHERE old.cid IS NULL
    )
), linked AS (
    UPDATE pds.log AS log SET before = new.before, message = new.message
    FROM moved, unnest($11::bigint[], $13::bytea[], $20::text[]) AS new (n, before, message)
    WHERE $6 AND log.account = moved.id AND log.seq = moved.change - $5 + new.n
), log_dropped AS (
    DELETE FROM pds.log WHERE cardinality($22::bigint[]) > 0
        AND account = (SELECT id FROM moved) AND seq = ANY($22::bigint[])
), fact_set AS (
    INSERT INTO pds.fact (account, kind, subject, value)
    SELECT moved.id, new.kind, new.subject, new.value
    FROM moved, unnest($24::text[], $25::text[], $26::text[]) AS new (kind, subject, value)
    WHERE new.value IS NOT NULL
    ON CONFLICT (account, kind, subject) DO UPDATE SET value = excluded.value
), fact_cleared AS (
    DELETE FROM pds.fact WHERE cardinality($23::text[]) > 0
        AND account = (SELECT id FROM moved) AND kind = ANY($23::text[])
        AND (kind, subject) NOT IN (SELECT * FROM unnest($24::text[], $25::text[]))
), fact_removed AS (
    DELETE FROM pds.fact WHERE array_position($26::text[], NULL) IS NOT NULL
        AND account = (SELECT id FROM moved) AND (kind, subject) IN (
        SELECT old.kind, old.subject
        FROM unnest($24::text[], $25::text[], $26::text[]) AS old (kind, subject, value)
        WHERE old.value IS NULL
    )
)
