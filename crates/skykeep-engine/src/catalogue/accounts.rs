//! What accounts looked like when they were last seen.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use skykeep_atproto::Did;

use super::{Catalogue, Error, Subject, millis, time};
use crate::api::HostingStatus;

/// What is known of an account, as last seen, and when things about it were last done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its handle, when it was confirmed both ways.
    pub handle: Option<String>,
    /// The name they gave themselves.
    pub display_name: Option<String>,
    /// Their picture as a `data:` address.
    pub avatar: Option<String>,
    /// Host name of its server.
    pub host: Option<String>,
    /// What the host said of the account.
    pub status: HostingStatus,
    /// When what is kept was last confirmed against the host.
    pub last_checked: Option<Timestamp>,
    /// When the host last answered about it.
    pub last_seen: Option<Timestamp>,
    /// When the whole repository was last fetched, not only what was new.
    pub last_full: Option<Timestamp>,
    /// When media that the host could not give were last asked for again.
    pub last_media_try: Option<Timestamp>,
    /// When the record of the identity was last read and held together: the audit log, or the document of a did:web.
    pub identity_read: Option<Timestamp>,
}

impl Default for AccountFacts {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            handle: None,
            display_name: None,
            avatar: None,
            host: None,
            status: HostingStatus::Unknown,
            last_checked: None,
            last_seen: None,
            last_full: None,
            last_media_try: None,
            identity_read: None,
        }
    }
}

const COLUMNS: &str = "did, handle, display_name, avatar, host, status, \
    last_checked, last_seen, last_full, last_media_try, identity_read";

impl Catalogue {
    /// What is known of one account; `None` when nothing is.
    pub fn account(&self, did: &Did) -> Result<Option<AccountFacts>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE did = ?1"))?;
        Ok(statement.query_row([did.as_str()], facts).optional()?)
    }

    /// What is known of all accounts, in the order of their DIDs.
    pub fn accounts(&self) -> Result<Vec<(Did, AccountFacts)>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts ORDER BY did"))?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, facts(row)?)))?;
        let mut accounts = Vec::new();
        for row in rows {
            let (did, facts) = row?;
            accounts.push((super::did("accounts", &did)?, facts));
        }
        Ok(accounts)
    }

    /// Remembers what was seen of an account, in place of what was known.
    pub fn set_account(&self, did: &Did, facts: &AccountFacts) -> Result<(), Error> {
        self.write(|transaction| {
            let sql =
                format!("INSERT OR REPLACE INTO accounts ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)");
            transaction.prepare_cached(&sql)?.execute(params![
                did.as_str(),
                facts.handle,
                facts.display_name,
                facts.avatar,
                facts.host,
                status_name(facts.status),
                facts.last_checked.map(millis),
                facts.last_seen.map(millis),
                facts.last_full.map(millis),
                facts.last_media_try.map(millis),
                facts.identity_read.map(millis),
            ])?;
            Ok(())
        })
    }

    /// Forgets all about an account: its facts, snapshots, confirmations, runs and problems. Backups are not touched.
    pub fn forget_account(&self, did: &Did) -> Result<(), Error> {
        self.write(|transaction| {
            for table in ["accounts", "snapshots", "confirmations", "runs", "samples"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE did = ?1"), [did.as_str()])?;
            }
            transaction.execute(
                "DELETE FROM problems WHERE subject = ?1",
                [Subject::Account(did.clone()).to_string()],
            )?;
            Ok(())
        })
    }
}

fn facts(row: &Row<'_>) -> rusqlite::Result<AccountFacts> {
    let at = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(time));
    Ok(AccountFacts {
        handle: row.get(1)?,
        display_name: row.get(2)?,
        avatar: row.get(3)?,
        host: row.get(4)?,
        status: status(&row.get::<_, String>(5)?),
        last_checked: at(6)?,
        last_seen: at(7)?,
        last_full: at(8)?,
        last_media_try: at(9)?,
        identity_read: at(10)?,
    })
}

fn status_name(status: HostingStatus) -> &'static str {
    match status {
        HostingStatus::Active => "active",
        HostingStatus::Deactivated => "deactivated",
        HostingStatus::Takendown => "takendown",
        HostingStatus::Suspended => "suspended",
        HostingStatus::Deleted => "deleted",
        HostingStatus::Missing => "missing",
        HostingStatus::Unknown => "unknown",
    }
}

/// A word that another version wrote is as good as not knowing: the host says it again.
fn status(name: &str) -> HostingStatus {
    use HostingStatus::{Active, Deactivated, Deleted, Missing, Suspended, Takendown, Unknown};
    [Active, Deactivated, Takendown, Suspended, Deleted, Missing]
        .into_iter()
        .find(|status| status_name(*status) == name)
        .unwrap_or(Unknown)
}
