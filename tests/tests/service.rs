//! The facilitator under a service manager: what it tells it, how it gets its passwords, and the unit file.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::DevnetOptions,
    machine::Machine,
    operator::{self, AUXILIARY_PASSWORD, ORIGIN_PASSWORD},
    process,
    world::{World, WorldOptions},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tokio::{net::UnixDatagram, time::timeout};

const LIMIT: Duration = Duration::from_secs(60);

const WAITS: &str = "STATUS=waits for both chains to be in working mode";
const WORKS: &str = "STATUS=both chains are in working mode";

fn quick() -> WorldOptions {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    WorldOptions { devnet, anchoring: None, ..WorldOptions::default() }
}

/// The next message to the service manager that contains `what`; those before it.
async fn hears(manager: &UnixDatagram, what: &str) -> Result<Vec<String>> {
    let mut before = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let length =
            timeout(LIMIT, manager.recv(&mut buffer)).await.with_context(|| format!("never heard {what}"))??;
        let said = String::from_utf8(buffer[..length].to_vec())?;
        if said.contains(what) {
            return Ok(before);
        }
        before.push(said);
    }
}

/// The passwords as files, as a unit's `LoadCredential` hands them over; not in the environment any more.
fn hand_over_as_credentials(world: &mut World) -> Result<PathBuf> {
    let folder = world.operator.home().join("credentials");
    fs::create_dir(&folder)?;
    let (origin, auxiliary) = (world.operator.origin_workers.clone(), world.operator.auxiliary_workers.clone());
    let all = origin.iter().map(|worker| (worker, ORIGIN_PASSWORD));
    for (worker, password) in all.chain(auxiliary.iter().map(|worker| (worker, AUXILIARY_PASSWORD))) {
        let name = format!("MOSAIC_ADDRESS_PASSW_{worker}");
        fs::write(folder.join(&name), format!("{password}\n"))?;
        world.operator.unset_variable(&name);
    }
    world.operator.set_variable("CREDENTIALS_DIRECTORY", &folder.to_string_lossy());
    Ok(folder)
}

/// `Type=notify`, the watchdog and `LoadCredential`, as the unit in `config` asks for them.
#[tokio::test]
async fn a_service_manager_hears_when_it_is_ready_that_it_lives_and_when_it_ends() -> Result<()> {
    let mut world = World::new(quick()).await?;
    let socket = world.operator.home().join("notify");
    let manager = UnixDatagram::bind(&socket)?;
    hand_over_as_credentials(&mut world)?;
    world.operator.set_variable("NOTIFY_SOCKET", &socket.to_string_lossy());
    world.operator.set_variable("WATCHDOG_USEC", "4000000");

    let mut daemon = world.operator.spawn()?;
    let before = hears(&manager, "READY=1").await?;
    for wanted in [WAITS, WORKS, "EXTEND_TIMEOUT_USEC=180000000"] {
        ensure!(before.iter().any(|said| said.contains(wanted)), "never {wanted}: {before:?}");
    }
    daemon.ready().await?;
    for _ in 0..3 {
        let between = hears(&manager, "WATCHDOG=1").await?;
        ensure!(between.iter().all(|said| !said.contains("EXTEND_TIMEOUT")), "it has started: {between:?}");
    }
    // No child may speak in the parent's name, and none gets at the passwords.
    for child in daemon.children() {
        let environment = String::from_utf8_lossy(&fs::read(format!("/proc/{child}/environ"))?).into_owned();
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY"] {
            ensure!(!environment.contains(name), "{name} reached {}", process::command_line(child));
        }
    }
    // What it says of itself follows what becomes of the chains.
    let scanner = daemon.in_role("scanner").first().copied().context("no scanner")?;
    kill(Pid::from_raw(i32::try_from(scanner)?), Signal::SIGKILL)?;
    hears(&manager, WAITS).await?;
    hears(&manager, WORKS).await?;
    let stopping = hears(&manager, "STOPPING=1\nSTATUS=stops: workers hand back");
    let (stopped, heard) = tokio::join!(world.operator.stop(daemon), stopping);
    stopped?;
    heard?;
    Ok(())
}

#[tokio::test]
async fn a_credential_that_cannot_be_read_is_named() -> Result<()> {
    let mut world = World::new(quick()).await?;
    let folder = hand_over_as_credentials(&mut world)?;
    fs::remove_dir_all(&folder)?;
    let chain = world.operator.chains[1].to_string();
    let answer = world.operator.run(&["start", "--chain-id", &chain]).await?;
    ensure!(answer.code == Some(6), "ended with {:?}: {}", answer.code, answer.stderr);
    ensure!(answer.stderr.contains(&*folder.to_string_lossy()), "{}", answer.stderr);
    Ok(())
}

/// Where the program of the unit is put for `systemd-analyze`, which wants it to be there.
fn unit_with(binary: &Path, folder: &Path) -> Result<PathBuf> {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/facilitator@.service");
    let text = fs::read_to_string(&unit)?;
    ensure!(text.contains("ExecStart=/usr/bin/facilitator "), "the unit starts something else");
    let path = folder.join("facilitator@.service");
    fs::write(&path, text.replace("/usr/bin/facilitator", &binary.to_string_lossy()))?;
    Ok(path)
}

/// What `systemd-analyze` says; `scripts/service-tools` brings it.
#[test]
fn the_unit_is_valid_and_shut_in() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let unit = unit_with(&operator::binary()?, folder.path())?;
    let analyze = |arguments: &[&str]| -> Result<()> {
        let asked = Command::new("systemd-analyze").args(arguments).arg(&unit).output();
        let told = asked.context("no systemd-analyze: run scripts/service-tools")?;
        let text = format!("{}{}", String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        ensure!(told.status.success(), "systemd-analyze {arguments:?} ended with {}:\n{text}", told.status);
        ensure!(arguments[0] != "verify" || text.is_empty(), "systemd-analyze {arguments:?} says:\n{text}");
        Ok(())
    };
    analyze(&["verify", "--man=no"])?;
    // Exposure in tenths: 0 is shut in, 100 wide open.
    analyze(&["security", "--offline=true", "--no-pager", "--threshold=15"])
}

/// A facilitator that has keys and whose nodes are away, as the book sets it up; less patience than the unit's, so that a
/// test sees its end.
const SET_UP: &str = r#"set_up() {
    cp "$FACILITATOR" /usr/bin/facilitator
    cp config/facilitator@.service /etc/systemd/system/
    install -D -m 644 config/facilitator.sysusers /etc/sysusers.d/facilitator.conf
    systemd-sysusers && install -d -o facilitator -g facilitator -m 700 /var/lib/facilitator
    install -d /etc/systemd/system/facilitator@1406.service.d
    printf '[Service]\nTimeoutStartSec=3\nTimeoutStopSec=3\n' >/etc/systemd/system/facilitator@1406.service.d/test.conf
    export MOSAIC_HOME=/var/lib/facilitator MOSAIC_ORIGIN_PASSWORD=one MOSAIC_AUX_PASSWORD=two
    cp config/mosaic-config.example.json /etc/mosaic-config.json
    told=$(runuser -u facilitator -- facilitator init --mosaic-config /etc/mosaic-config.json --chain-id 1406 \
        --origin-rpc http://127.0.0.1:1 --aux-rpc http://127.0.0.1:1 --light-kdf --json)
    file=/var/lib/facilitator/1406/facilitator-config.json
    jq '.shutdown_timeout_s = 6' "$file" >changed && cat changed >"$file"
    origin=$(jq -r '.origin.workers[0]' <<<"$told") auxiliary=$(jq -r '.auxiliary.workers[0]' <<<"$told")
    systemctl daemon-reload && systemctl enable facilitator@1406
}
hand_over_passwords() {
    install -d -m 700 /etc/facilitator /etc/facilitator/1406
    printf one >"/etc/facilitator/1406/$origin" && printf two >"/etc/facilitator/1406/$auxiliary"
}
is() { systemctl show -P "$1" facilitator@1406; }
until_is() {
    for _ in $(seq 300); do [[ "$(is "$1")" == $2 ]] && return; sleep 0.1; done
    systemctl status facilitator@1406 && false
}"#;

/// By a real systemd: it keeps no boot waiting, is given the time that it needs, and is not started where that mends nothing.
#[test]
fn a_service_is_waited_for_as_long_as_it_lives_and_stays_ended_where_no_start_mends_it() -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let Some(machine) = Machine::boot(&repository)? else { return Ok(()) };
    let binary = operator::binary()?.canonicalize()?;
    let mut shell = machine.shell(&repository, &[("FACILITATOR", &binary.to_string_lossy())])?;
    shell.tell(SET_UP)?;
    shell.tell("set_up")?;

    let boot = shell.tell("systemctl show -P After multi-user.target")?;
    ensure!(!boot.contains("facilitator@1406"), "the boot waits for it: {boot}");
    ensure!(shell.tell("is After")?.contains("multi-user.target"), "{}", shell.tell("is After")?);

    // One that hangs before its watchdog hears of it is not waited for for ever. Another one has the unit's own limit.
    let limit = shell.tell("systemctl show -P TimeoutStartUSec facilitator@1407")?;
    ensure!(limit == "3min", "{limit}");

    // There is no folder of passwords yet.
    ensure!(shell.run("systemctl start facilitator@1406")?.0 != 0, "started without passwords");
    ensure!(shell.tell("is ExecMainStatus; is SubState")? == "243\nfailed", "{}", shell.tell("is SubState")?);
    shell.tell("hand_over_passwords")?;

    // Longer than the unit allows, since it asks for more time.
    shell.tell("systemctl start --no-block facilitator@1406 && until_is StatusText 'waits for both chains*'")?;
    let process = shell.tell("is MainPID")?;
    shell.tell("sleep 5")?;
    let after = shell.tell("is ActiveState; is NRestarts; is MainPID")?;
    ensure!(after == format!("activating\n0\n{process}"), "{after}");

    // A child that hangs is waited for as long as configured, then killed: all the same it is an orderly stop.
    shell.tell(&format!("kill -STOP $(grep -l '^PPid:\t{process}$' /proc/[0-9]*/status | cut -d/ -f3)"))?;
    let begin = Instant::now();
    shell.tell("systemctl stop --no-block facilitator@1406 && until_is StatusText 'stops: *'")?;
    shell.tell("until_is ActiveState inactive")?;
    ensure!(begin.elapsed() > Duration::from_secs(5), "nothing hung: {:?}", begin.elapsed());
    ensure!(shell.tell("is Result; is ExecMainStatus")? == "success\n0", "{}", shell.tell("is Result")?);

    // What was deregistered never runs again under this name.
    shell.tell("systemctl start --no-block facilitator@1406 && until_is StatusText 'waits for both chains*'")?;
    shell.tell("runuser -u facilitator -- facilitator deregister --chain-id 1406")?;
    shell.tell("until_is SubState failed")?;
    ensure!(shell.tell("is ExecMainStatus; is NRestarts")? == "3\n0", "{}", shell.tell("is ExecMainStatus")?);
    ensure!(shell.run("systemctl start facilitator@1406")?.0 != 0, "it runs again");
    ensure!(shell.tell("is ExecMainStatus; is SubState")? == "3\nfailed", "{}", shell.tell("is SubState")?);
    Ok(())
}
