-- One move of HEAD with its blocks, log row and facts, in one statement. Everything depends on the
-- row that the update returns, so a lost race leaves nothing.
WITH moved AS (
    UPDATE pds.account SET change = change + 1, head = $3
    WHERE id = $1 AND head IS NOT DISTINCT FROM $2
        AND ($4::bigint IS NULL OR change = $4) AND ($5::bigint IS NULL OR sweep = $5)
    RETURNING change, sweep
), stored AS (
    INSERT INTO pds.block AS block (account, cid, bytes)
    SELECT $1, new.cid, new.bytes
    FROM moved, unnest($6::bytea[], $7::bytea[]) AS new (cid, bytes)
    ON CONFLICT (account, cid) DO UPDATE SET bytes = excluded.bytes
        WHERE block.bytes <> excluded.bytes
    RETURNING 1
), logged AS (
    INSERT INTO pds.log
        (account, seq, name, before, after, at_micros, event, other, old_key, key, message)
    SELECT $1, change, 'HEAD', $2, $3, $8::bigint, $9::text, $10::bytea, $11::text,
        $12::text, $13::text FROM moved
), known AS (
    INSERT INTO pds.fact (account, kind, subject, value)
    SELECT $1, new.kind, new.subject, new.value
    FROM moved, unnest($14::text[], $15::text[], $16::text[]) AS new (kind, subject, value)
    ON CONFLICT (account, kind, subject) DO UPDATE SET value = excluded.value
)
SELECT change, sweep, (SELECT count(*) FROM stored) FROM moved
