-- A page of the facts of a kind, with the number of the last change.
SELECT account.change, page.* FROM pds.account AS account LEFT JOIN (
    SELECT kind, subject, value FROM pds.fact
    WHERE account = $1 AND kind = $2 AND ($3::text IS NULL OR subject > $3)
    ORDER BY subject LIMIT $4
) AS page ON true
WHERE account.id = $1 ORDER BY page.subject
