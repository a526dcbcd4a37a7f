//! Writes a set of files whole or not at all.
//!
//! Everything is staged beside its place and synced first; then the files take their places one by one, the one that
//! counts last. A crash leaves at most files that are harmless without the last one; an error undoes what was placed.

use crate::Error;
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use tempfile::NamedTempFile;

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Fail and write nothing.
    Refuse,
    /// Keep it as `<name>.<time>.bak` and replace it.
    Backup,
}

/// A file as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    /// `None`: the file shall not be there.
    pub(crate) content: Option<String>,
}

impl Change {
    /// Whether the file is there and has to go or change.
    fn conflicts(&self) -> bool {
        self.path.exists() && !self.is_done()
    }

    fn is_done(&self) -> bool {
        match &self.content {
            Some(content) => fs::read(&self.path).is_ok_and(|found| found == content.as_bytes()),
            None => !self.path.exists(),
        }
    }
}

/// Fails if one of `changes` would touch a file that must stay.
pub(crate) fn check(changes: &[Change], overwrite: Overwrite) -> Result<(), Error> {
    match (overwrite, changes.iter().find(|change| change.conflicts())) {
        (Overwrite::Refuse, Some(change)) => Err(Error::Exists(change.path.clone())),
        (Overwrite::Refuse, None) | (Overwrite::Backup, _) => Ok(()),
    }
}

fn failed<'p>(what: &'static str, path: &'p Path) -> impl Fn(io::Error) -> Error + 'p {
    move |source| Error::Write { what, path: path.to_owned(), source }
}

/// Carries out `changes` in their order, files with mode 0600, new directories with mode 0700. Returns the backups.
///
/// # Errors
/// [`Error::Exists`] or [`Error::Write`]; then all files are as they were.
pub(crate) fn write(changes: &[Change], overwrite: Overwrite, now: SystemTime) -> Result<Vec<PathBuf>, Error> {
    check(changes, overwrite)?;
    let mut undo = Undo::default();
    let changes: Vec<&Change> = changes.iter().filter(|change| !change.is_done()).collect();
    let mut staged = Vec::new();
    for change in &changes {
        let directory = change.path.parent().unwrap_or(Path::new("."));
        undo.create_directory(directory)?;
        staged.push(change.content.as_ref().map(|content| stage(directory, content)).transpose()?);
    }
    for (change, file) in changes.iter().zip(staged) {
        undo.place(&change.path, file, overwrite, now)?;
    }
    for change in &changes {
        let directory = change.path.parent().unwrap_or(Path::new("."));
        File::open(directory).and_then(|open| open.sync_all()).map_err(failed("sync", directory))?;
    }
    Ok(undo.keep())
}

fn stage(directory: &Path, content: &str) -> Result<NamedTempFile, Error> {
    // Made with mode 0600.
    let mut file = tempfile::Builder::new()
        .prefix(".facilitator-")
        .tempfile_in(directory)
        .map_err(failed("create a file in", directory))?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.as_file().sync_all());
    written.map_err(failed("write a file in", directory))?;
    Ok(file)
}

/// What has been done, undone when dropped unless kept.
#[derive(Default)]
struct Undo {
    directories: Vec<PathBuf>,
    placed: Vec<PathBuf>,
    /// File and backup.
    backups: Vec<(PathBuf, PathBuf)>,
}

impl Undo {
    fn create_directory(&mut self, directory: &Path) -> Result<(), Error> {
        let missing: Vec<&Path> =
            directory.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        for path in missing.into_iter().rev() {
            DirBuilder::new().mode(0o700).create(path).map_err(failed("create", path))?;
            self.directories.push(path.to_owned());
        }
        Ok(())
    }

    fn place(
        &mut self,
        path: &Path,
        file: Option<NamedTempFile>,
        overwrite: Overwrite,
        now: SystemTime,
    ) -> Result<(), Error> {
        if overwrite == Overwrite::Backup && path.exists() {
            let backup = free_backup_name(path, now);
            // Half a copy must not be taken for the backup, least of all by the undoing.
            let copied = fs::copy(path, &backup).inspect_err(|_| drop(fs::remove_file(&backup)));
            copied.map_err(failed("copy to a backup", path))?;
            self.backups.push((path.to_owned(), backup.clone()));
            File::open(&backup).and_then(|open| open.sync_all()).map_err(failed("sync", &backup))?;
        }
        match (file, overwrite) {
            (None, _) => fs::remove_file(path).map_err(failed("remove", path))?,
            (Some(file), Overwrite::Backup) => {
                file.persist(path).map_err(|error| failed("write", path)(error.error))?;
            }
            (Some(file), Overwrite::Refuse) => {
                file.persist_noclobber(path).map_err(|error| {
                    let there = error.error.kind() == io::ErrorKind::AlreadyExists;
                    if there { Error::Exists(path.to_owned()) } else { failed("write", path)(error.error) }
                })?;
            }
        }
        self.placed.push(path.to_owned());
        Ok(())
    }

    fn keep(mut self) -> Vec<PathBuf> {
        self.directories.clear();
        self.placed.clear();
        std::mem::take(&mut self.backups).into_iter().map(|(_, backup)| backup).collect()
    }
}

impl Drop for Undo {
    /// An error is being reported; a failure to undo would only hide it.
    fn drop(&mut self) {
        for (path, backup) in self.backups.drain(..) {
            drop(fs::rename(backup, &path));
            self.placed.retain(|placed| *placed != path);
        }
        for path in self.placed.drain(..) {
            drop(fs::remove_file(path));
        }
        for directory in self.directories.drain(..).rev() {
            drop(fs::remove_dir(directory));
        }
    }
}

fn free_backup_name(path: &Path, now: SystemTime) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stamp = utc_stamp(now);
    let first = path.with_file_name(format!("{name}.{stamp}.bak"));
    let more = (1..1000u32).map(|n| path.with_file_name(format!("{name}.{stamp}-{n}.bak")));
    std::iter::once(first.clone()).chain(more).find(|backup| !backup.exists()).unwrap_or(first)
}

/// `20260131T235959Z`. Times before 1970 count as 1970.
fn utc_stamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days, counting years from March so that the leap day is the last one.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::fs::PermissionsExt, time::Duration};

    fn change(path: &Path, content: &str) -> Change {
        Change { path: path.to_owned(), content: Some(content.to_owned()) }
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn stamps_are_utc_dates() {
        for (seconds, stamp) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(utc_stamp(UNIX_EPOCH + Duration::from_secs(seconds)), stamp);
        }
    }

    #[test]
    fn files_are_private_and_backups_keep_the_old_ones() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("home/1406");
        let (a, b) = (directory.join("a"), directory.join("b"));
        assert!(write(&[change(&a, "1"), change(&b, "1")], Overwrite::Refuse, UNIX_EPOCH).unwrap().is_empty());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&root.path().join("home")), mode(&directory), mode(&a)), (0o700, 0o700, 0o600));

        assert!(
            matches!(write(&[change(&a, "1"), change(&b, "2")], Overwrite::Refuse, UNIX_EPOCH), Err(Error::Exists(p)) if p == b)
        );
        for content in ["2", "3"] {
            write(&[change(&a, "1"), change(&b, content)], Overwrite::Backup, UNIX_EPOCH).unwrap();
        }
        assert_eq!(names(&directory), ["a", "b", "b.19700101T000000Z-1.bak", "b.19700101T000000Z.bak"]);
        assert_eq!(fs::read_to_string(&b).unwrap(), "3");
        assert_eq!(fs::read_to_string(directory.join("b.19700101T000000Z-1.bak")).unwrap(), "2");
        assert_eq!(mode(&directory.join("b.19700101T000000Z.bak")), 0o600);

        let gone = Change { path: b.clone(), content: None };
        assert!(matches!(write(std::slice::from_ref(&gone), Overwrite::Refuse, UNIX_EPOCH), Err(Error::Exists(_))));
        write(&[gone], Overwrite::Backup, UNIX_EPOCH).unwrap();
        assert!(!b.exists());
    }

    #[test]
    fn an_error_in_the_middle_leaves_everything_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let old = root.path().join("old");
        fs::write(&old, "old").unwrap();
        let blocked = root.path().join("blocked");
        fs::create_dir(&blocked).unwrap();
        let changes = [
            change(&root.path().join("new/deep/file"), "x"),
            change(&old, "new"),
            // A directory cannot be replaced by a file: placing this one fails after the others were placed.
            change(&blocked, "x"),
        ];
        assert!(matches!(write(&changes, Overwrite::Backup, UNIX_EPOCH), Err(Error::Write { .. })));
        assert_eq!(names(root.path()), ["blocked", "old"]);
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
    }
}
