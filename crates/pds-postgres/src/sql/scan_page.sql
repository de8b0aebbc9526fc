-- The next blocks after a name, until they have 8 MiB together.
SELECT cid, bytes FROM (
    SELECT cid, bytes, sum(length(bytes)) OVER (ORDER BY cid) AS total FROM (
        SELECT cid, bytes FROM pds.block WHERE account = $1 AND cid > $2 ORDER BY cid LIMIT 2000
    ) AS page
) AS page
WHERE total <= 8388608 OR total = length(bytes) ORDER BY cid
