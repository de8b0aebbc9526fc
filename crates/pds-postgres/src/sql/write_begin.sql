-- One write of an account, in one statement. All parts depend on the row that the update returns, so a
-- lost race leaves nothing. The numbers of log rows are given from the number of the last change on.
-- Log rows are new ones, which never replace a stored row, or those that a sweep links again.
-- This is the begin: HEAD, blocks and log rows. The end is write_end.sql.
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
), logged AS (
    INSERT INTO pds.log
        (account, seq, name, before, after, at_micros, event, other, old_key, key, message)
    SELECT moved.id, moved.change - $5 + new.n, new.name, new.before, new.after, new.at_micros,
        new.event, new.other, new.old_key, new.key, new.message
    FROM moved, unnest($11::bigint[], $12::text[], $13::bytea[], $14::bytea[], $15::bigint[],
        $16::text[], $17::bytea[], $18::text[], $19::text[], $20::text[])
        AS new (n, name, before, after, at_micros, event, other, old_key, key, message)
    WHERE NOT $6
)
