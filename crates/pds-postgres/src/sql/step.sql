-- One write of an account: everything that it stores and deletes, in one statement. All parts depend on
-- the row that the update returns, so a lost race leaves nothing. The numbers of log rows are given
-- from the number of the last change on. A deletion without names reads nothing, whatever its plan.
WITH moved AS (
    UPDATE pds.account SET change = change + $5,
        sweep = CASE WHEN $6 THEN change + $5 ELSE sweep END,
        head = CASE WHEN 'HEAD' = ANY($7::text[])
            THEN ($8::bytea[])[array_position($7::text[], 'HEAD')] ELSE head END
    WHERE id = $1 AND ($2::bigint IS NULL OR change = $2) AND ($3::bigint IS NULL OR sweep = $3)
        AND head IS NOT DISTINCT FROM $4
    RETURNING id, change, sweep
), stored AS (
    INSERT INTO pds.block AS block (account, cid, bytes)
    SELECT moved.id, new.cid, new.bytes
    FROM moved, unnest($9::bytea[], $10::bytea[]) AS new (cid, bytes)
    ON CONFLICT (account, cid) DO UPDATE SET bytes = excluded.bytes
        WHERE block.bytes <> excluded.bytes
    RETURNING 1
), dropped AS (
    DELETE FROM pds.block WHERE cardinality($11::bytea[]) > 0
        AND account = (SELECT id FROM moved) AND cid = ANY($11::bytea[])
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
), logged AS (
    INSERT INTO pds.log
        (account, seq, name, before, after, at_micros, event, other, old_key, key, message)
    SELECT moved.id, moved.change - $5 + new.n, new.name, new.before, new.after, new.at_micros,
        new.event, new.other, new.old_key, new.key, new.message
    FROM moved, unnest($12::bigint[], $13::text[], $14::bytea[], $15::bytea[], $16::bigint[],
        $17::text[], $18::bytea[], $19::text[], $20::text[], $21::text[])
        AS new (n, name, before, after, at_micros, event, other, old_key, key, message)
    ON CONFLICT (account, seq) DO UPDATE SET before = excluded.before, message = excluded.message
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
SELECT change, sweep, (SELECT count(*) FROM stored) FROM moved
