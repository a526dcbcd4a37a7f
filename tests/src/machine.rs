//! A machine of its own for one test: the file system of this one below a layer that is thrown away, its own processes
//! and loopback network, and a real systemd that runs its services.
//!
//! Nothing that is done in it reaches this machine, and all of it ends with the test. Needs root, overlayfs and systemd
//! (`scripts/service-tools`).

use crate::{process, skipped};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// `$1`: where the layers are put; `$2`: the repository, which may lie on another file system than the root.
const BOOT: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=0755 machine "$1"
mkdir "$1/upper" "$1/work" "$1/root" "$1/upper-repository" "$1/work-repository"
root=$1/root
mount -t overlay machine -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$root"
mkdir -p "$root$2"
mount -t overlay repository -o "lowerdir=$2,upperdir=$1/upper-repository,workdir=$1/work-repository" "$root$2"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
mkdir "$root/sys/fs/cgroup/unified" "$root/sys/fs/cgroup/systemd"
if mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd" 2>/dev/null; then
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified" 2>/dev/null || true
else
    umount "$root/sys/fs/cgroup"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
fi
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount --rbind /dev "$root/dev"
mkdir -p "$root/home/op"
printf '[Unit]\nDescription=What a test needs\nDefaultDependencies=no\nWants=systemd-journald.service\n' \
    >"$root/etc/systemd/system/test.target"
printf '[Unit]\nDefaultDependencies=no\n' >"$root/etc/systemd/system/sysinit.target"
# Not a chroot, in which services could have no user namespace of their own.
cd "$root"
mkdir .host
pivot_root . .host
exec /usr/bin/env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c 'umount -l /.host && rmdir /.host &&
    mount --make-rshared / && exec /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no'
"#;
/// Longest wait for the first answer of its systemd.
const BOOT_LIMIT: Duration = Duration::from_secs(30);
/// Longest time for one answer while it boots, seconds, as `timeout` takes them.
const ANSWER_LIMIT: &str = "10";
/// Longest time for one command.
const COMMAND_LIMIT: Duration = Duration::from_secs(180);
/// Where programs are looked for.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Begins the line that tells how a command ended; no command prints it.
const ENDED: char = '\u{1}';

/// A running machine; ends when it is dropped.
#[derive(Debug)]
pub struct Machine {
    unshare: Child,
    /// Its first process, as this machine numbers it.
    first: u32,
    _layers: TempDir,
}

impl Machine {
    /// Boots one in which `repository` is a copy of what is there. `None` and a loud word where this machine allows none.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn boot(repository: &Path) -> Result<Option<Self>> {
        if let Err(why) = possible() {
            skipped::say(&format!("this machine allows no machine of its own to a test: {why:#}"));
            return Ok(None);
        }
        let layers = tempfile::Builder::new().prefix("machine-").tempdir()?;
        let mut unshare = unshare();
        unshare.args(["bash", "-c", BOOT, "boot"]).arg(layers.path()).arg(repository).stdin(Stdio::null());
        let unshare = unshare.stdout(Stdio::null()).spawn().context("cannot run unshare")?;
        let mut machine = Self { unshare, first: 0, _layers: layers };
        machine.wait()?;
        Ok(Some(machine))
    }

    fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.unshare.try_wait()? {
                bail!("the machine did not boot: {status}");
            }
            self.first = process::children(self.unshare.id()).first().copied().unwrap_or(0);
            if process::command_line(self.first).contains("--unit=test.target") {
                let mut answers = self.command(Path::new("/"));
                answers.args(["timeout", ANSWER_LIMIT, "systemctl", "is-active", "test.target"]);
                if answers.stdin(Stdio::null()).output()?.status.success() {
                    return Ok(());
                }
            }
            ensure!(start.elapsed() < BOOT_LIMIT, "systemd did not come up");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A file of it, from outside.
    #[must_use]
    pub fn file(&self, path: &Path) -> PathBuf {
        Path::new("/proc").join(self.first.to_string()).join("root").join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What runs a program in it, as root, in a folder; the program and its arguments are yet to follow.
    #[must_use]
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.first))
            .args(["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--net"]);
        command.args(["/usr/bin/env", "-i", "-C"]).arg(folder);
        command.args(["HOME=/home/op", "LANG=C.UTF-8"]);
        command.arg(format!("PATH={PATH}"));
        command
    }

    /// A shell in it, as root, with these variables.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn shell(&self, folder: &Path, variables: &[(&str, &str)]) -> Result<Shell> {
        let mut command = self.command(folder);
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        command.args(["bash", "--noprofile", "--norc", "-c", "exec 2>&1; exec bash --noprofile --norc"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take().context("no input")?;
        let stdout = BufReader::new(child.stdout.take().context("no output")?);
        let (tell, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Shell { child, stdin, lines })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its first process takes all others along.
        drop(self.unshare.kill());
        drop(self.unshare.wait());
    }
}

fn unshare() -> Command {
    // Killed itself, a test can't end it: the kernel does.
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        "unshare",
        "--pid",
        "--fork",
        "--mount",
        "--cgroup",
        "--uts",
        "--ipc",
        "--net",
        "--kill-child",
    ]);
    command
}

/// Whether this machine allows what [`BOOT`] does.
fn possible() -> Result<()> {
    ensure!(Path::new("/lib/systemd/systemd").exists(), "no systemd: run scripts/service-tools");
    let folder = TempDir::new()?;
    let probe = r#"mount --make-rprivate / && mount -t tmpfs probe "$1" && mkdir "$1/u" "$1/w" "$1/r" &&
        mount -t overlay probe -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" "$1/r""#;
    let mut probing = unshare();
    probing.args(["timeout", ANSWER_LIMIT, "sh", "-c", probe, "sh"]).arg(folder.path());
    let told = probing.output().context("no unshare")?;
    let problem = String::from_utf8_lossy(&told.stderr);
    ensure!(told.status.success(), "{}: {}", told.status, problem.trim());
    Ok(())
}

/// A shell that keeps its variables and its folder from command to command.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Shell {
    /// What a command prints, which ends well.
    ///
    /// # Errors
    /// As of [`Shell::run`]; or when it does not end well: what it printed.
    pub fn tell(&mut self, command: &str) -> Result<String> {
        let (code, printed) = self.run(command)?;
        ensure!(code == 0, "`{command}` ended with {code}:\n{}", printed.join("\n"));
        Ok(printed.join("\n").trim().to_owned())
    }

    /// Runs a command, which has no input, to its end: its exit code, and what it printed on either output.
    ///
    /// # Errors
    /// When the shell ends with it or it does not end.
    pub fn run(&mut self, command: &str) -> Result<(i32, Vec<String>)> {
        writeln!(self.stdin, "{{ {command}\n}} </dev/null; printf '\\n{ENDED}%s\\n' \"$?\"")?;
        self.stdin.flush()?;
        let start = Instant::now();
        let mut printed = Vec::new();
        loop {
            match self.lines.recv_timeout(COMMAND_LIMIT.saturating_sub(start.elapsed())) {
                Ok(line) => match line.strip_prefix(ENDED) {
                    None => printed.push(line),
                    Some(code) => {
                        // The blank line before the mark is the mark's own, or ends an unfinished line.
                        if printed.last().is_some_and(String::is_empty) {
                            printed.pop();
                        }
                        return Ok((code.trim().parse()?, printed));
                    }
                },
                Err(RecvTimeoutError::Timeout) => bail!("`{command}` did not end:\n{}", printed.join("\n")),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the shell ended with `{command}`:\n{}", printed.join("\n"))
                }
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
