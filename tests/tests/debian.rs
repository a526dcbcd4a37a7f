//! The life of the Debian package in a machine of its own: installed, upgraded, removed, installed again and purged, by the
//! scripts of `config/debian` and with the unit of `config`. The program in it is a stand-in; `scripts/package deb` makes
//! the real one.

use anyhow::{Result, ensure};
use facilitator_tests::machine::Machine;
use std::path::Path;

/// Makes facilitator_$1.deb. What runs as the service lives as long as it may, and never says that it is ready, as one whose
/// nodes are away.
const MAKE: &str = r#"make() {
    root=package-$1
    install -d "$root/DEBIAN" "$root/usr/bin"
    printf '#!/bin/sh\n[ "$1" = --version ] && echo facilitator %s || exec sleep 1000\n' "$1" >"$root/usr/bin/facilitator"
    chmod 755 "$root/usr/bin/facilitator"
    install -D -m 644 config/facilitator@.service "$root/usr/lib/systemd/system/facilitator@.service"
    install -D -m 644 config/facilitator.sysusers "$root/usr/lib/sysusers.d/facilitator.conf"
    install -m 755 config/debian/postinst config/debian/prerm config/debian/postrm "$root/DEBIAN/"
    printf 'Package: facilitator\nVersion: %s\nArchitecture: all\nMaintainer: a test <test@test.example>\nDescription: a test\n' \
        "$1" >"$root/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$root" "facilitator_$1.deb"
}"#;

#[test]
fn a_package_is_upgraded_under_what_runs_and_leaves_keys_and_money_when_it_goes() -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let Some(machine) = Machine::boot(&repository)? else { return Ok(()) };
    let mut shell = machine.shell(&repository, &[])?;
    for command in [MAKE, "make 1", "make 2", "dpkg --install facilitator_1.deb"] {
        shell.tell(command)?;
    }
    // Nothing is started by itself; its home is for its account alone.
    ensure!(shell.tell("systemctl list-units --all --no-legend 'facilitator@*'")?.is_empty(), "something runs");
    let home = "stat --format '%U %G %a' /var/lib/facilitator";
    ensure!(shell.tell(home)? == "facilitator facilitator 700", "{}", shell.tell(home)?);
    shell.tell("install -d -m 700 /etc/facilitator /etc/facilitator/1406 && echo secret >/etc/facilitator/1406/0x1")?;
    shell.tell("runuser -u facilitator -- sh -c 'echo keys >/var/lib/facilitator/config'")?;
    shell.tell("systemctl enable facilitator@1406 && systemctl start --no-block facilitator@1406")?;
    let runs =
        "for _ in $(seq 600); do systemctl show -P MainPID facilitator@1406 | grep -vx 0 && break; sleep 0.1; done";
    let process = shell.tell(runs)?;
    ensure!(!process.is_empty(), "the service did not start: {}", shell.tell("systemctl status facilitator@1406")?);

    // An upgrade ends nobody's work: the old program goes on until it is restarted.
    shell.tell("dpkg --install facilitator_2.deb")?;
    ensure!(shell.tell("facilitator --version")? == "facilitator 2", "not upgraded");
    ensure!(shell.tell(runs)? == process, "the upgrade has restarted it");

    let is_left = "cat /var/lib/facilitator/config /etc/facilitator/1406/0x1 && id --name --user facilitator";
    let all = shell.tell(is_left)?;
    let link = "readlink /etc/systemd/system/multi-user.target.wants/facilitator@1406.service";
    shell.tell("dpkg --remove facilitator")?;
    ensure!(shell.tell(&format!("kill -0 {process} 2>/dev/null || echo ended"))? == "ended", "it runs on");
    ensure!(shell.tell(is_left)? == all, "removing has changed what was left");
    // Installed again, what was enabled is.
    shell.tell("dpkg --install facilitator_1.deb && systemctl is-enabled facilitator@1406")?;
    shell.tell(link)?;
    // Another instance has a unit of the operator's own, which is not the package's.
    shell.tell("cp /usr/lib/systemd/system/facilitator@.service /etc/systemd/system/facilitator@1407.service")?;
    shell.tell("systemctl daemon-reload && systemctl enable facilitator@1407")?;
    shell.tell("dpkg --purge facilitator")?;
    ensure!(shell.tell(is_left)? == all, "purging has changed what was left");
    ensure!(shell.run(link)?.0 != 0, "a link to the unit is left");
    shell.tell(&link.replace("1406", "1407"))?;
    Ok(())
}
