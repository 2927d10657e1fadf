//! The tables, their versions, and how a file is judged before it is used.
//!
//! Migrations are numbered, forward only, and each is one transaction together with its number (`user_version`): a
//! power cut leaves the version before or the one after. A migration that was released is never edited.

use rusqlite::{Connection, OptionalExtension};

use super::Error;

/// "SkyK": says that a database is a catalogue of ours.
const APPLICATION_ID: i64 = 0x536b_794b;

/// Migration n (from 0) leads to version n + 1.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE accounts (
        did TEXT PRIMARY KEY,
        handle TEXT, display_name TEXT, avatar TEXT, host TEXT,
        status TEXT NOT NULL,
        last_checked INTEGER, last_seen INTEGER, last_full INTEGER, last_media_try INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE snapshots (
        did TEXT NOT NULL,
        id TEXT NOT NULL,
        position INTEGER NOT NULL,
        writer TEXT NOT NULL, sequence INTEGER NOT NULL,
        rev TEXT NOT NULL, cid TEXT NOT NULL, taken INTEGER NOT NULL,
        json TEXT NOT NULL,
        UNIQUE (did, id)
    ) STRICT;
    CREATE UNIQUE INDEX snapshots_in_order ON snapshots (did, position);

    CREATE TABLE confirmations (
        did TEXT NOT NULL, id TEXT NOT NULL, place TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (did, id, place)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE places (
        place TEXT PRIMARY KEY,
        last_seen INTEGER, last_checked INTEGER, last_listed INTEGER, free INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE runs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        did TEXT NOT NULL,
        began INTEGER NOT NULL, ended INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        json TEXT NOT NULL
    ) STRICT;
    CREATE INDEX runs_of_account ON runs (did, number);

    CREATE TABLE problems (
        subject TEXT NOT NULL, code TEXT NOT NULL,
        since INTEGER NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (subject, code)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE hosts (
        host TEXT PRIMARY KEY,
        failing_since INTEGER NOT NULL, last_failed INTEGER NOT NULL,
        attempts INTEGER NOT NULL, wait INTEGER
    ) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE runs ADD COLUMN outcome INTEGER NOT NULL DEFAULT 4;
    UPDATE runs SET outcome = CASE json_extract(json, '$.end.outcome')
        WHEN 'completed' THEN iif(json_extract(json, '$.end.changed'), 0, 1)
        WHEN 'skipped' THEN 2
        WHEN 'failed' THEN 3
        ELSE 4 END;
    CREATE INDEX runs_in_time ON runs (did, began, outcome);

    ALTER TABLE snapshots ADD COLUMN unchanged INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE snapshots ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE snapshots ADD COLUMN media_bytes INTEGER;
    UPDATE snapshots SET bytes = json_extract(json, '$.bytes'), unchanged = coalesce((
        SELECT before.cid = snapshots.cid
            AND json_extract(before.json, '$.media') = json_extract(snapshots.json, '$.media')
            AND json_extract(before.json, '$.media_pending') = json_extract(snapshots.json, '$.media_pending')
            AND json_extract(before.json, '$.media_missing') = json_extract(snapshots.json, '$.media_missing')
        FROM snapshots before WHERE before.did = snapshots.did AND before.position < snapshots.position
        ORDER BY before.position DESC LIMIT 1), 0);
    CREATE INDEX snapshots_in_time ON snapshots (did, taken, position, unchanged, bytes);
",
    "
    ALTER TABLE accounts ADD COLUMN identity_read INTEGER;
",
    "
    CREATE TABLE told (
        subject TEXT NOT NULL, code TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (subject, code)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE families (
        place TEXT PRIMARY KEY,
        json TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE fills (
        place TEXT NOT NULL, day INTEGER NOT NULL,
        at INTEGER NOT NULL, used INTEGER NOT NULL,
        PRIMARY KEY (place, day)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE rounds (
        place TEXT PRIMARY KEY,
        began INTEGER, reached TEXT,
        bytes INTEGER NOT NULL, of_bytes INTEGER NOT NULL,
        last INTEGER, whole_from INTEGER, whole_to INTEGER,
        damaged TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE samples (
        did TEXT PRIMARY KEY,
        at INTEGER NOT NULL, place TEXT NOT NULL, whole INTEGER NOT NULL,
        last_whole INTEGER, runs INTEGER
    ) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE confirmations ADD COLUMN read_there INTEGER NOT NULL DEFAULT 0;
",
    "
    CREATE TABLE watched (
        did TEXT PRIMARY KEY,
        asked INTEGER NOT NULL, log BLOB NOT NULL, findings TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
];

/// Reads the version: 0 is a new, empty file.
///
/// Errors: `Newer`; `Damaged` when this is no database, or somebody else's.
pub(super) fn version(connection: &Connection) -> Result<i64, Error> {
    let application: i64 = pragma(connection, "application_id")?;
    let found: i64 = pragma(connection, "user_version")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let known = latest(MIGRATIONS);
    match (application, found) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION_ID, 1..) if found > known => Err(Error::Newer { found, known }),
        (APPLICATION_ID, 1..) => Ok(found),
        _ => Err(Error::Damaged {
            reason: format!("not a catalogue: application {application:#x}, version {found}"),
        }),
    }
}

/// Reads every page and compares the structures in them. Errors: `Damaged` with SQLite's first finding.
pub(super) fn check_pages(connection: &Connection) -> Result<(), Error> {
    let finding: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if finding == "ok" {
        Ok(())
    } else {
        Err(Error::Damaged { reason: finding })
    }
}

/// Brings the file to this program's version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Error> {
    migrate_with(connection, MIGRATIONS)
}

/// Compares names of tables and columns with those of a new catalogue. Errors: `Damaged`.
///
/// The text of the statements would not do: SQLite words an altered table differently from version to version.
pub(super) fn check_shape(connection: &Connection) -> Result<(), Error> {
    let mut new = Connection::open_in_memory()?;
    migrate(&mut new)?;
    if shape(connection)? == shape(&new)? {
        return Ok(());
    }
    Err(Error::Damaged {
        reason: "its tables are not those of its version".to_owned(),
    })
}

fn latest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

fn migrate_with(connection: &mut Connection, migrations: &[&str]) -> Result<(), Error> {
    for (number, sql) in (1i64..).zip(migrations) {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Asked inside the transaction: another program may have just done it.
        if pragma(&transaction, "user_version")? < number {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, Error> {
    Ok(connection
        .pragma_query_value(None, name, |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}

fn shape(connection: &Connection) -> Result<Vec<(String, String)>, Error> {
    let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type IN ('table', 'index') ORDER BY 1, 2";
    let mut statement = connection.prepare(sql)?;
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(columns.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_go_forward_one_by_one_and_keep_what_is_there() {
        let first = &["CREATE TABLE a (x INTEGER)"][..];
        let both = &[
            "CREATE TABLE a (x INTEGER)",
            "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7",
        ][..];
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_with(&mut connection, first).unwrap();
        connection.execute("INSERT INTO a VALUES (1)", []).unwrap();
        for _ in 0..2 {
            migrate_with(&mut connection, both).unwrap();
            let row: (i64, i64) = connection
                .query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap();
            assert_eq!((row, pragma(&connection, "user_version").unwrap()), ((1, 7), 2));
        }
        // An older program does nothing to it.
        migrate_with(&mut connection, first).unwrap();
        assert_eq!(pragma(&connection, "user_version").unwrap(), 2);
    }

    #[test]
    fn a_migration_that_fails_halfway_leaves_the_version_before() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = &[
            "CREATE TABLE a (x INTEGER)",
            "CREATE TABLE b (x INTEGER); CREATE TABLE a (x INTEGER)",
        ][..];
        migrate_with(&mut connection, broken).unwrap_err();
        assert_eq!(pragma(&connection, "user_version").unwrap(), 1);
        assert_eq!(shape(&connection).unwrap(), [("a".to_owned(), "x".to_owned())]);
    }
}
