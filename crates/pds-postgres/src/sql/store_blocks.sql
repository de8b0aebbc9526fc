-- Stores blocks, and heals damaged ones. The number of affected rows is that of the new blocks.
INSERT INTO pds.block AS block (account, cid, bytes)
SELECT $1::bigint, new.cid, new.bytes FROM unnest($2::bytea[], $3::bytea[]) AS new (cid, bytes)
ON CONFLICT (account, cid) DO UPDATE SET bytes = excluded.bytes
    WHERE block.bytes <> excluded.bytes
