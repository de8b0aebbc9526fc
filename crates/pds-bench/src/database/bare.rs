//! Bare statements: the same rows in the same tables through the same driver, prepared, with
//! nothing checked, hashed or signed.

use anyhow::{Context, Result, bail, ensure};
use pds::syntax::Did;
use postgres::{Client, Statement};

use crate::database::recorder::Rows;
use crate::database::server::Server;

/// A connection that writes to the rows of one account.
pub(crate) struct Bare {
    client: Client,
    account: i64,
    put: Statement,
    insert: Statement,
    end: Statement,
}

impl Bare {
    pub(crate) fn open(server: &Server, did: &Did) -> Result<Self> {
        let mut client = server.client()?;
        let account =
            client.query_one("SELECT id FROM pds.account WHERE did = $1", &[&did.as_str()])?;
        let account = account.try_get(0)?;
        let [put, insert, end] = [PUT, INSERT, END].map(|sql| client.prepare(sql));
        Ok(Self { client, account, put: put?, insert: insert?, end: end? })
    }

    /// Writes the rows of a put in one statement.
    pub(crate) fn put(&mut self, rows: &Rows) -> Result<()> {
        let [(cids, blocks)] = &rows.batches[..] else { bail!("a put has one batch") };
        let Self { client, account, put, .. } = self;
        let row = client
            .query_one(put, &[account, &rows.after, cids, blocks, &rows.event, &AT_MICROS, &""])?;
        let stored: i64 = row.try_get(2)?;
        ensure!(usize::try_from(stored)? == cids.len(), "not all rows were written");
        Ok(())
    }

    /// Writes the rows of an import in one transaction, a statement for each batch.
    pub(crate) fn import(&mut self, rows: &Rows) -> Result<()> {
        let Self { client, account, insert, end, .. } = self;
        let mut transaction = client.transaction()?;
        for (cids, blocks) in &rows.batches {
            transaction.execute(insert, &[account, cids, blocks])?;
        }
        transaction.execute(end, &[account, &rows.after, &rows.event, &AT_MICROS, &""])?;
        Ok(transaction.commit()?)
    }
}

/// Checks that accounts have as many rows: blocks, their bytes, log rows and changes. Returns the
/// number of the blocks of one account.
pub(crate) fn check_rows<'d>(
    server: &Server,
    dids: impl IntoIterator<Item = &'d Did>,
) -> Result<usize> {
    let (mut client, mut expected) = (server.client()?, None);
    for did in dids {
        let row = client.query_one(COUNT, &[&did.as_str()])?;
        let found: [i64; 4] = [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
        let expected = *expected.get_or_insert(found);
        ensure!(found == expected, "the rows differ: {found:?} and {expected:?}");
    }
    let [blocks, ..] = expected.context("no account")?;
    Ok(usize::try_from(blocks)?)
}

const PUT: &str = "WITH moved AS (
    UPDATE pds.account SET change = change + 1, head = $2 WHERE id = $1 RETURNING change, sweep
), stored AS (
    INSERT INTO pds.block (account, cid, bytes)
    SELECT $1, new.* FROM unnest($3::bytea[], $4::bytea[]) AS new RETURNING 1
), logged AS (
    INSERT INTO pds.log (account, seq, name, before, after, at_micros, event, message)
    SELECT $1, change, 'HEAD', $2, $2, $6::bigint, $5::text, $7::text FROM moved
)
SELECT change, sweep, (SELECT count(*) FROM stored) FROM moved";

const INSERT: &str = "INSERT INTO pds.block (account, cid, bytes)
    SELECT $1::bigint, new.* FROM unnest($2::bytea[], $3::bytea[]) AS new";

const END: &str = "WITH moved AS (
    UPDATE pds.account SET change = change + 1, head = $2 WHERE id = $1 RETURNING change
)
INSERT INTO pds.log (account, seq, name, before, after, at_micros, event, message)
SELECT $1, change, 'HEAD', NULL, $2, $4::bigint, $3::text, $5::text FROM moved";

const COUNT: &str = "SELECT count(*), coalesce(sum(length(bytes)), 0)::bigint,
    (SELECT count(*) FROM pds.log WHERE log.account = account.id), account.change
FROM pds.account AS account LEFT JOIN pds.block AS block ON block.account = account.id
WHERE did = $1 GROUP BY account.id";

const AT_MICROS: i64 = 1_700_000_000_000_000;
