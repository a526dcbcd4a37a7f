//! What a person sees in a terminal: a view that goes on, tables that fit, colours where they are wanted.

use anyhow::Result;
use facilitator_tests::{
    anvil::Mining,
    devnet::DevnetOptions,
    node::Pace,
    pty::{Terminal, bare},
    stakers::Stakers,
    world::{World, WorldOptions},
};
use nix::sys::signal::Signal;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
/// Where a frame begins and ends.
const FRAME: (&str, &str) = ("\u{1b}[?2026h", "\u{1b}[?2026l");

/// The frames that were shown whole.
fn frames(shown: &str) -> Vec<&str> {
    shown.split(FRAME.0).skip(1).filter_map(|rest| rest.split_once(FRAME.1)).map(|(frame, _)| frame).collect()
}

fn widest(text: &str) -> usize {
    bare(text).iter().map(|line| line.trim_end().chars().count()).max().unwrap_or(0)
}

#[tokio::test]
async fn a_view_of_the_whole_screen_goes_on_and_gives_the_terminal_back() -> Result<()> {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(250)), ..DevnetOptions::default() };
    let mut world = World::new(WorldOptions { devnet, anchoring: None, ..WorldOptions::default() }).await?;
    let daemon = world.operator.start().await?;
    Stakers::new(&world.devnet, 0, 2).await?.request_all(&world.devnet, Pace::Natural).await?;
    let waits = |rows: &[facilitator_tests::operator::RequestRow]| {
        rows.len() == 2 && rows.iter().all(|row| row.state == "ACCEPTED" && row.waiting_for.is_some())
    };
    let rows = world.operator.wait_requests(LIMIT, waits).await?;
    for (signal, columns) in [(Signal::SIGINT, 80), (Signal::SIGTERM, 50)] {
        let terminal = Terminal::run(&world.operator, &["status", "--watch", "--chain-id", "1406"], columns, 120)?;
        // Journal and ledger are looked through beside it, and stand in a later frame.
        let whole = |shown: &str| frames(shown).iter().position(|frame| frame.contains("RUNWAY"));
        let shown = terminal.until("a whole frame", |shown| whole(shown) >= Some(1)).await?;
        assert!(shown.starts_with(ENTER), "{shown:?}");
        let frame = frames(&shown)[whole(&shown).unwrap_or(0)];
        let text = bare(frame).join("\n");
        for part in ["Facilitator 3 → 1406: active", "working", "2 ACCEPTED", "Oldest unfinished", "looked at again"]
        {
            assert!(text.replace("\n  ", " ").contains(part), "{part}: {text}");
        }
        assert!(rows.iter().all(|row| text.contains(&row.request_hash[..8])), "{text}");
        // Everything that the status page shows.
        for part in ["ENDPOINT", "HEALTH", "KEY", "RUNWAY", "NONCE", "LEDGER", "BOUNTY OUT", "WHAT HAPPENED", "PROCESS"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(widest(frame) <= usize::from(columns), "wider than {columns}: {text}");
        // Over what stood there, never an empty screen in between.
        assert!(frame.starts_with("\u{1b}[H") && !frame.contains("\u{1b}[2J"), "{frame:?}");
        terminal.signal(signal)?;
        let (status, shown) = terminal.ended().await?;
        assert!(status.success() && shown.ends_with(LEAVE), "{status}: {:?}", &shown[shown.len().saturating_sub(80)..]);
    }
    // A table fits; with a pipe it is as wide as it is, and has no colours.
    let list = ["requests", "list", "--chain-id", "1406"];
    let (status, narrow) = Terminal::run(&world.operator, &list, 70, 40)?.ended().await?;
    assert!(status.success() && widest(&narrow) <= 70 && narrow.contains('…'), "{narrow:?}");
    let piped = world.operator.run(&list).await?;
    assert!(!piped.stdout.contains('\u{1b}') && !piped.stdout.contains('…'), "{piped:?}");
    let status = ["status", "--chain-id", "1406"];
    let (_, coloured) = Terminal::run(&world.operator, &status, 100, 40)?.ended().await?;
    assert!(coloured.contains("\u{1b}[32mactive\u{1b}[0m"), "{coloured:?}");
    world.operator.set_variable("NO_COLOR", "1");
    let (_, plain) = Terminal::run(&world.operator, &status, 100, 40)?.ended().await?;
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    world.operator.stop(daemon).await
}
