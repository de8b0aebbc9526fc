-- The version, the number of the newest log row, the refs and the first facts, of one moment. The
-- rows come in any order.
SELECT 'account' AS part, NULL::text AS a, NULL::text AS b, NULL::text AS c, change AS n,
    sweep AS m, (SELECT max(seq) FROM pds.log WHERE account = $1) AS o, NULL::bytea AS cid
FROM pds.account WHERE id = $1
UNION ALL
SELECT 'ref', 'HEAD', NULL, NULL, NULL, NULL, NULL, head FROM pds.account
WHERE id = $1 AND head IS NOT NULL
UNION ALL
SELECT 'ref', name, NULL, NULL, NULL, NULL, NULL, cid FROM pds.ref
WHERE account = $1 AND name <> 'HEAD'
UNION ALL
SELECT 'fact', kind, subject, value, NULL, NULL, NULL, NULL FROM (
    SELECT kind, subject, value FROM pds.fact WHERE account = $1 ORDER BY kind, subject LIMIT $2
) AS first
