-- Blocks by name, in the order of the names, until they have 8 MiB together, with the number of the
-- last sweep. The first is always among them.
SELECT (SELECT sweep FROM pds.account WHERE id = $1), found.bytes FROM (
    SELECT name.n, block.bytes, sum(coalesce(length(block.bytes), 0)) OVER (ORDER BY name.n) AS total
    FROM unnest($2::bytea[]) WITH ORDINALITY AS name (cid, n)
    LEFT JOIN pds.block AS block ON block.account = $1 AND block.cid = name.cid
) AS found
WHERE found.total <= 8388608 OR found.n = 1 ORDER BY found.n
