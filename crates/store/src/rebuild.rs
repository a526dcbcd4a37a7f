//! What a lost or damaged database needs: a look at whether it is sound, putting it aside, and the mark of a rebuilding
//! that is under way.

use crate::{
    Location, Store,
    db::{Row, args},
    error::{Result, StoreError},
};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// Name of the setting that stands while a rebuilding is under way.
const MARK: &str = "rebuilding";

impl Store {
    /// Reads every page and checks that they agree with each other; as long as that takes.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first contradiction; else [`StoreError`] of the database.
    pub async fn check_pages(&self) -> Result<()> {
        let problem = self.db.check_pages().await?;
        problem.map_or(Ok(()), |problem| Err(StoreError::Damaged { name: self.db.name().to_owned(), problem }))
    }

    /// Marks that this database is being rebuilt from the chains, so that a rebuilding that was cut off is gone on with.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn begin_rebuilding(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO settings (name, value) VALUES ($1, '1') ON CONFLICT (name) DO NOTHING";
        tx.execute(sql, args![MARK]).await?;
        tx.commit().await
    }

    /// Whether a rebuilding has begun and not ended.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn is_rebuilding(&self) -> Result<bool> {
        let found = self.db.fetch("SELECT COUNT(*) FROM settings WHERE name = $1", args![MARK]).await?;
        let count: i64 = found.into_iter().next().map_or(Ok(0), |mut row: Row| row.take())?;
        Ok(count > 0)
    }

    /// The rebuilding is done, or the facilitator's own start goes on with it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn end_rebuilding(&self) -> Result<()> {
        if !self.is_rebuilding().await? {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        tx.execute("DELETE FROM settings WHERE name = $1", args![MARK]).await?;
        tx.commit().await
    }
}

impl Location {
    /// Whether there is anything of a database; of one on a server only the server can tell, which is not asked here.
    #[must_use]
    pub fn may_exist(&self) -> bool {
        match self {
            Self::Sqlite(path) => path.exists(),
            Self::Postgres(_) => true,
        }
    }

    /// Puts the database aside with all that belongs to it, under names that begin with its own and `.aside-`: nothing
    /// is deleted. The new name of the database itself; `None` if there is none. To be called while nobody has it open.
    ///
    /// Cut off halfway it leaves the whole database under the new name, the old one, or both.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and its like if the system refuses, and for a server's database, which is for its owner
    /// to put aside.
    pub fn set_aside(&self, stamp: &str) -> Result<Option<PathBuf>> {
        match self {
            Self::Sqlite(path) => move_sqlite(path, stamp).map_err(|problem| crate::db::unavailable(path, &problem)),
            Self::Postgres(server) => Err(StoreError::Unavailable {
                name: server.name().to_owned(),
                problem: "a server's database is not put aside from here: have its owner rename it (ALTER DATABASE … RENAME TO …) and create an empty one of the old name, or name another one in `db.url`; then run `facilitator recover` without --set-aside".to_owned(),
            }),
        }
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The log belongs to the database under whatever name: what is committed may stand in it alone.
fn move_sqlite(path: &Path, stamp: &str) -> io::Result<Option<PathBuf>> {
    let aside = with_ending(path, &format!(".aside-{stamp}"));
    let endings: Vec<&str> = ["", "-wal", "-shm"].into_iter().filter(|end| with_ending(path, end).exists()).collect();
    if endings.is_empty() {
        return Ok(None);
    }
    if aside.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists", aside.display())));
    }
    let linked: io::Result<()> =
        endings.iter().try_for_each(|end| fs::hard_link(with_ending(path, end), with_ending(&aside, end)));
    for end in endings {
        let (from, to) = (with_ending(path, end), with_ending(&aside, end));
        match linked {
            Ok(()) => fs::remove_file(from)?,
            // A file system without links.
            Err(_) => fs::rename(from, to)?,
        }
    }
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(Some(aside))
}
