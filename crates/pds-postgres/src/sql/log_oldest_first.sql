-- A page of the log, oldest row first, with the number of the last sweep.
SELECT account.sweep, page.* FROM pds.account AS account LEFT JOIN (
    SELECT seq, name, before, after, at_micros, event, other, old_key, key,
        left(message, 4097) AS message FROM pds.log
    WHERE account = $1 AND seq BETWEEN coalesce($2::bigint, -9223372036854775808) AND $3
        AND ($4::text IS NULL OR name = $4) AND ($5::bytea IS NULL OR after = $5)
    ORDER BY seq LIMIT $6
) AS page ON true
WHERE account.id = $1 ORDER BY page.seq
