-- The tables of format 1. Each statement runs on its own, and can be repeated.
-- Only tables with primary keys: related engines lack the rest.

CREATE SCHEMA IF NOT EXISTS pds;

-- The number of the format, in one row.
CREATE TABLE IF NOT EXISTS pds.format (
    number integer PRIMARY KEY
);

-- change, sweep: the version. head: the commit of HEAD, which has no row in ref.
CREATE TABLE IF NOT EXISTS pds.account (
    id bigint PRIMARY KEY,
    did text NOT NULL UNIQUE,
    change bigint NOT NULL,
    sweep bigint NOT NULL,
    head bytea,
    status text NOT NULL
);

CREATE TABLE IF NOT EXISTS pds.block (
    account bigint NOT NULL,
    cid bytea NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (account, cid)
);

CREATE TABLE IF NOT EXISTS pds.ref (
    account bigint NOT NULL,
    name text NOT NULL,
    cid bytea NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE IF NOT EXISTS pds.log (
    account bigint NOT NULL,
    seq bigint NOT NULL,
    name text NOT NULL,
    before bytea,
    after bytea,
    at_micros bigint NOT NULL,
    event text NOT NULL,
    other bytea,
    old_key text,
    key text,
    message text NOT NULL,
    PRIMARY KEY (account, seq)
);

CREATE TABLE IF NOT EXISTS pds.fact (
    account bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (account, kind, subject)
);

INSERT INTO pds.format (number) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pds.format)
ON CONFLICT DO NOTHING;
