-- Blocks by name, in the order of the names, until they have 8 MiB together, with the number of the
-- last sweep. The first is always among them. The limit keeps each lookup on the primary key: a plan
-- that was made while the table was empty would read the whole table otherwise.
SELECT (SELECT sweep FROM pds.account WHERE id = $1), found.bytes FROM (
    SELECT name.n, one.bytes, sum(coalesce(length(one.bytes), 0)) OVER (ORDER BY name.n) AS total
    FROM unnest($2::bytea[]) WITH ORDINALITY AS name (cid, n)
    LEFT JOIN LATERAL (
        SELECT bytes FROM pds.block AS block
        WHERE block.account = $1 AND block.cid = name.cid LIMIT 1
    ) AS one ON true
) AS found
WHERE found.total <= 8388608 OR found.n = 1 ORDER BY found.n
