//! What is handed out: that the package names files that are there, that completions complete, that a static program
//! resolves names on any machine, and that the image's recipe holds together. Building them is left to `scripts/package`.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::skipped;
use serde_json::Value as Json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo_metadata() -> Result<Json> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let told = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()?;
    ensure!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let all: Json = serde_json::from_slice(&told.stdout)?;
    let packages = all["packages"].as_array().context("no packages")?;
    packages.iter().find(|package| package["name"] == "facilitator").cloned().context("no package facilitator")
}

/// The files that a pattern with at most one `*` in its last part names.
fn matching(pattern: &Path) -> Result<usize> {
    let name = pattern.file_name().context("no name")?.to_string_lossy().into_owned();
    let Some((head, tail)) = name.split_once('*') else { return Ok(usize::from(pattern.is_file())) };
    let files = fs::read_dir(pattern.parent().context("no folder")?)?;
    let names = files.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
    Ok(names.iter().filter(|name| name.starts_with(head) && name.ends_with(tail)).count())
}

#[test]
fn the_debian_package_names_files_that_are_there() -> Result<()> {
    let package = cargo_metadata()?;
    let deb = &package["metadata"]["deb"];
    let manifest = Path::new(package["manifest_path"].as_str().context("no manifest")?);
    let folder = manifest.parent().context("no folder")?;
    let assets = deb["assets"].as_array().context("no assets")?;
    let mut targets = Vec::new();
    for asset in assets {
        let source = asset[0].as_str().context("no source")?;
        targets.push(asset[1].as_str().context("no target")?);
        // Made by the build itself.
        if source != "target/release/facilitator" {
            ensure!(matching(&folder.join(source))? > 0, "there is no {source}");
        }
    }
    for wanted in [
        "usr/bin/",
        "usr/lib/systemd/system/",
        "usr/lib/sysusers.d/facilitator.conf",
        "usr/share/man/man1/",
        "usr/share/bash-completion/completions/facilitator",
        "usr/share/zsh/vendor-completions/",
        "usr/share/fish/vendor_completions.d/",
    ] {
        ensure!(targets.contains(&wanted), "nothing goes to {wanted}");
    }
    for script in ["postinst", "prerm", "postrm"] {
        let path = folder.join(deb["maintainer-scripts"].as_str().context("no scripts")?).join(script);
        let told = Command::new("sh").arg("-n").arg(&path).output()?;
        ensure!(told.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&told.stderr));
    }
    let license = deb["license-file"][0].as_str().context("no licence")?;
    ensure!(folder.join(license).is_file(), "there is no {license}");
    let changelog = fs::read_to_string(folder.join(deb["changelog"].as_str().context("no changelog")?))?;
    let version = package["version"].as_str().context("no version")?;
    ensure!(changelog.starts_with(&format!("facilitator ({version}-1) ")), "Debian's changelog is not of {version}");
    // By an older systemd the unit's folder of passwords is not loaded.
    ensure!(deb["breaks"] == "systemd (<< 251)", "{}", deb["breaks"]);
    Ok(())
}

#[test]
fn the_changelog_tells_of_the_packaged_version() -> Result<()> {
    let package = cargo_metadata()?;
    let version = package["version"].as_str().context("no version")?;
    let text = fs::read_to_string(repository().join("CHANGELOG.md"))?;
    let head = format!("## [{version}] - ");
    let (_, of_version) = text.split_once(&head).with_context(|| format!("CHANGELOG.md has no `{head}<date>`"))?;
    let (date, changes) = of_version.split_once('\n').context("nothing follows the version")?;
    ensure!(humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).is_ok(), "{date} is no date");
    let changes = changes.split("\n## ").next().unwrap_or_default();
    ensure!(changes.contains("\n- "), "CHANGELOG.md tells of no change in {version}");
    ensure!(text.contains(&format!("\n[{version}]: http")), "[{version}] leads nowhere");
    Ok(())
}

/// What bash proposes for a line whose last word is begun.
fn proposed(words: &[&str]) -> Result<Vec<String>> {
    let script = r#"source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _facilitator facilitator "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
    let file = repository().join("config/completions/facilitator.bash");
    let told = Command::new("bash").args(["--norc", "-c", script, "bash"]).arg(file).args(words).output()?;
    ensure!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    Ok(String::from_utf8(told.stdout)?.lines().map(str::to_owned).collect())
}

#[test]
fn completions_complete() -> Result<()> {
    ensure!(proposed(&["facilitator", "rec"])? == ["recover"], "{:?}", proposed(&["facilitator", "rec"])?);
    let requests = proposed(&["facilitator", "requests", ""])?;
    ensure!(["list", "show", "retry"].iter().all(|each| requests.contains(&(*each).to_owned())), "{requests:?}");
    let options = proposed(&["facilitator", "db", "copy", "--"])?;
    ensure!(options.contains(&"--to".to_owned()), "{options:?}");
    Ok(())
}

/// Instructions of a Dockerfile with what follows them, continued lines joined.
fn instructions(text: &str) -> Vec<(String, String)> {
    let joined = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()))
        .collect()
}

#[test]
fn the_image_is_made_in_stages_and_runs_as_a_user_without_rights() -> Result<()> {
    let text = fs::read_to_string(repository().join("config/Dockerfile"))?;
    let all = instructions(&text);
    let known = ["FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD"];
    let unknown: Vec<_> = all.iter().filter(|(name, _)| !known.contains(&name.as_str())).collect();
    ensure!(unknown.is_empty(), "{unknown:?}");
    let of = |wanted: &str| -> Vec<&str> {
        all.iter().filter(|(name, _)| name == wanted).map(|(_, rest)| rest.as_str()).collect()
    };
    let stages = of("FROM");
    ensure!(stages.len() == 2, "{stages:?}");
    let name = stages[0].split(" AS ").nth(1).context("the first stage has no name")?;
    for copy in of("COPY").iter().filter_map(|copy| copy.strip_prefix("--from=")) {
        ensure!(copy.starts_with(name), "there is no stage of {copy}");
    }
    // The toolchain of the first stage is one that builds the workspace.
    let minor = |version: &str| version.split('.').nth(1).and_then(|part| part.parse::<u32>().ok());
    let has = stages[0].strip_prefix("rust:").and_then(|rest| rest.split('-').next()).and_then(minor);
    let package = cargo_metadata()?;
    let needs = package["rust_version"].as_str().and_then(minor);
    ensure!(has.is_some() && has >= needs, "{has:?} does not build what needs {needs:?}");
    // Whoever starts it is the user whom the image has made.
    // By number: only so it is known without a look into the image that it is not root.
    let (user, group) = of("USER").last().and_then(|user| user.split_once(':')).context("no user with a group")?;
    ensure!([user, group].iter().all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}:{group}");
    for made in [format!("groupadd --gid {group} "), format!("useradd --uid {user} --gid {group} ")] {
        ensure!(of("RUN").iter().any(|run| run.contains(&made)), "no `{made}`");
    }
    let start: Vec<String> = serde_json::from_str(of("ENTRYPOINT").first().context("no entry point")?)?;
    ensure!(start == ["/usr/bin/facilitator"], "{start:?}");
    ensure!(of("VOLUME") == ["/var/lib/facilitator"] && of("ENV") == ["MOSAIC_HOME=/var/lib/facilitator"], "no home");
    Ok(())
}

/// A module for the resolving of names that ends whoever loads it with a code of its own, as one of another C library does
/// by a signal.
const POISON: &str = "#include <unistd.h>\n__attribute__((constructor)) static void loaded(void) { _exit(77); }\n";
/// Looks up a host or its own account, if it is told so after the program's own preparation.
const LOOKUP: &str = r#"
mod names;
fn main() {
    let is = |number, word: &str| std::env::args().nth(number).as_deref() == Some(word);
    if is(1, "prepared") {
        names::resolve_without_modules();
    }
    let found = match is(2, "host") {
        true => std::net::ToSocketAddrs::to_socket_addrs("localhost:80").is_ok(),
        false => std::env::home_dir().is_some(),
    };
    std::process::exit(if found { 0 } else { 1 });
}
"#;

/// Linked statically, glibc would load modules of the machine, whose C library is another one, into the program.
#[test]
fn a_static_program_loads_no_module_to_resolve_a_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let run = |program: &str, arguments: &[&str]| -> Result<()> {
        let told = Command::new(program).args(arguments).current_dir(&folder).output().context(program.to_owned())?;
        ensure!(told.status.success(), "{program}: {}", String::from_utf8_lossy(&told.stderr));
        Ok(())
    };
    if let Err(why) = run("unshare", &["--map-root-user", "--mount", "true"]) {
        skipped::say(&format!("this machine allows no mounts of its own to a test: {why:#}"));
        return Ok(());
    }
    fs::write(file("poison.c"), POISON)?;
    fs::write(file("lookup.rs"), LOOKUP)?;
    fs::write(file("hosts"), "127.0.0.1 localhost\n")?;
    fs::write(file("nsswitch.conf"), "hosts: poison files dns\npasswd: poison files\n")?;
    fs::copy(repository().join("bin/facilitator/src/names.rs"), file("names.rs"))?;
    run("cc", &["-shared", "-fPIC", "-o", "libnss_poison.so.2", "poison.c"])?;
    run("rustc", &["--edition=2024", "-Ctarget-feature=+crt-static", "-Dwarnings", "lookup.rs"])?;
    let code = |how: &str, what: &str| -> Result<Option<i32>> {
        let within =
            "mount --bind nsswitch.conf /etc/nsswitch.conf && mount --bind hosts /etc/hosts && exec ./lookup $0 $1";
        let mut lookup = Command::new("unshare");
        lookup.args(["--map-root-user", "--mount", "sh", "-c", within, how, what]).current_dir(&folder);
        // Without `HOME` it is that of the account.
        Ok(lookup.env("LD_LIBRARY_PATH", folder.path()).env_remove("HOME").status()?.code())
    };
    for what in ["host", "account"] {
        // The module is one that does harm; else the rest shows nothing.
        let unprepared = code("unprepared", what)?;
        ensure!(unprepared == Some(77), "the module was not loaded for a {what}: {unprepared:?}");
        let prepared = code("prepared", what)?;
        ensure!(prepared == Some(0), "a {what}: ended with {prepared:?}");
    }
    Ok(())
}
