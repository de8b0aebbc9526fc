-- Writes log rows. A sweep writes rows again, with another link or without their message.
INSERT INTO pds.log
    (account, seq, name, before, after, at_micros, event, other, old_key, key, message)
SELECT $1::bigint, new.* FROM unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[],
    $7::text[], $8::bytea[], $9::text[], $10::text[], $11::text[]) AS new
ON CONFLICT (account, seq) DO UPDATE SET before = excluded.before, message = excluded.message
