//! The named points at which a process of the armed binary may be made to die.
//!
//! They are read from the product's source, so that a new one is tried without being listed anywhere.

use crate::operator::{self, Operator};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const AT: &str = "FACILITATOR_KILL_AT";
const ONCE: &str = "FACILITATOR_KILL_ONCE";
const PANIC: &str = "FACILITATOR_KILL_PANIC";

/// Every `kill_point!("…")` of the product.
///
/// # Errors
/// When the source can't be read, or a name stands twice in it.
pub fn all() -> Result<BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the repository")?;
    let mut found = BTreeSet::new();
    let mut folders = vec![root.join("crates"), root.join("bin")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                collect(&fs::read_to_string(&path)?, &mut found)?;
            }
        }
    }
    Ok(found)
}

fn collect(source: &str, found: &mut BTreeSet<String>) -> Result<()> {
    for call in source.split("kill_point!(\"").skip(1) {
        let name = call.split('"').next().unwrap_or_default().to_owned();
        ensure!(found.insert(name.clone()), "the kill point {name} stands twice in the source");
    }
    Ok(())
}

/// The binary whose kill points are real, beside the ordinary one.
///
/// # Errors
/// When it was not built.
pub fn armed_binary() -> Result<PathBuf> {
    let path = operator::binary()?.with_file_name("facilitator-armed");
    ensure!(path.is_file(), "{} is missing: scripts/test builds it", path.display());
    Ok(path)
}

/// The first process of the next daemon that comes to `point` for the `visit`th time dies there and makes the file
/// `mark`; no other one does.
pub fn arm(operator: &mut Operator, point: &str, visit: u32, mark: &Path) {
    operator.set_variable(AT, &format!("{point}:{visit}"));
    operator.set_variable(ONCE, &mark.to_string_lossy());
}

/// As [`arm`], but it panics there and says `text`.
pub fn arm_with_panic(operator: &mut Operator, point: &str, text: &str, mark: &Path) {
    arm(operator, point, 1, mark);
    operator.set_variable(PANIC, text);
}

/// The next daemon passes all points.
pub fn disarm(operator: &mut Operator) {
    operator.unset_variable(AT);
    operator.unset_variable(ONCE);
    operator.unset_variable(PANIC);
}
