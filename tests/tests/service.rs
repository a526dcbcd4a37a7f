//! The facilitator under a service manager: what it tells it, how it gets its passwords, and the unit file.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anvil::Mining,
    devnet::DevnetOptions,
    operator::{self, AUXILIARY_PASSWORD, ORIGIN_PASSWORD},
    process,
    world::{World, WorldOptions},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::{net::UnixDatagram, time::timeout};

const LIMIT: Duration = Duration::from_secs(60);

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
    ensure!(before.iter().any(|said| said.contains("STATUS=waits for both chains")), "{before:?}");
    daemon.ready().await?;
    for _ in 0..3 {
        hears(&manager, "WATCHDOG=1").await?;
    }
    // No child may speak in the parent's name, and none gets at the passwords.
    for child in daemon.children() {
        let environment = String::from_utf8_lossy(&fs::read(format!("/proc/{child}/environ"))?).into_owned();
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY"] {
            ensure!(!environment.contains(name), "{name} reached {}", process::command_line(child));
        }
    }
    let stopping = hears(&manager, "STOPPING=1");
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
