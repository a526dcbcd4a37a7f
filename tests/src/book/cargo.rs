//! The `cargo` of a book's reader: this machine's own, with what the tests have built already, so that the book's
//! `cargo install` takes seconds and needs no network. It builds in the profile of the tests instead of `release`.

use crate::machine::Machine;
use anyhow::{Context as _, Result};
use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::Path,
};

/// Where readers find it.
const PLACE: &str = "/usr/local/bin";
/// Set by cargo for the package whose test this is; the rest of the environment says how its builds are made.
const OWN: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
/// `$environment`: the variables of the tests; `$cargo`: theirs; `$profile`: in which they are built, into `$built`. What
/// the book finds in `target/release` lies there also when that is another profile.
const CARGO: &str = r#"
environment+=("CARGO_TARGET_DIR=${built%/*}" CARGO_NET_OFFLINE=true)
[ "$1" = install ] || exec env -i "${environment[@]}" "$cargo" "$@"
shift
set -o pipefail
env -i "${environment[@]}" "CARGO_INSTALL_ROOT=$HOME/.cargo" "$cargo" install --profile "$profile" "$@" |& while read -r line; do
    echo "$line"
    if [[ $line == *Compiling* ]]; then
        echo "this would take long in a test: run cargo build --workspace --bins before"
        exit 1
    fi
done || exit
if [ "$profile" != release ]; then
    mkdir -p target/release && ln -sf "$built/facilitator" target/release/facilitator
fi
"#;
const RUSTC: &str = r#"
exec env -i "${environment[@]}" rustc "$@"
"#;

/// Puts it into a machine, and names the profile in which it builds.
///
/// # Errors
/// When there is none here, or it can't be written.
pub(super) fn put(machine: &Machine) -> Result<String> {
    let here = env::current_exe()?.canonicalize()?;
    let built = here.ancestors().nth(2).context("not among what cargo has built")?;
    let folder = built.file_name().context("no profile")?.to_string_lossy();
    let profile = if folder == "debug" { "dev" } else { &*folder };
    let cargo = env::var_os("CARGO").context("no CARGO: these tests are run by cargo")?;
    let known = [("built", built.as_os_str()), ("profile", OsStr::new(profile)), ("cargo", &cargo)];
    for (name, what) in [("cargo", CARGO), ("rustc", RUSTC)] {
        let place = machine.file(&Path::new(PLACE).join(name));
        fs::write(&place, script(&known, what)).with_context(|| format!("cannot write {}", place.display()))?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
    }
    Ok(profile.to_owned())
}

/// A script that knows these variables and the environment of the tests.
fn script(known: &[(&str, &OsStr)], what: &str) -> Vec<u8> {
    let mut script = b"#!/bin/bash\n".to_vec();
    for (name, value) in known {
        script.extend([name.as_bytes(), b"=", &quoted(value.as_bytes()), b"\n"].concat());
    }
    script.extend(b"environment=(");
    for (name, value) in env::vars_os() {
        if !OWN.iter().any(|own| name.as_bytes().starts_with(own.as_bytes())) {
            script.extend(quoted(&[name.as_bytes(), b"=", value.as_bytes()].concat()));
            script.push(b' ');
        }
    }
    script.extend(b")\n");
    script.extend(what.as_bytes());
    script
}

/// As one word of a shell.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut word = vec![b'\''];
    for byte in text {
        match byte {
            b'\'' => word.extend(br"'\''"),
            other => word.push(*other),
        }
    }
    word.push(b'\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_was_quoted_as_it_was() {
        let text = "it's \"one\" $word\n`of` \\two";
        let mut echo = b"printf %s ".to_vec();
        echo.extend(quoted(text.as_bytes()));
        let told = std::process::Command::new("bash").arg("-c").arg(OsStr::from_bytes(&echo)).output().unwrap();
        assert_eq!(told.stdout, text.as_bytes());
    }
}
