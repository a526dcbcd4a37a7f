//! `facilitator status`: how a facilitator is doing, from its database alone, so that it answers whatever the nodes do.

pub(crate) mod view;
mod watch;

use super::{context, start};
use crate::cli::StatusArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use crate::terminal::{Look, Screen};
use facilitator_config::Loaded;
use facilitator_protocol::model::State;
use facilitator_roles::clock::now_ms;
use facilitator_roles::look::{Looker, Place};
use facilitator_roles::views::activity;
use facilitator_roles::views::requests::views;
use facilitator_roles::views::status::{self, Status};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use watch::Seen;

/// Pause between two views of `--watch`.
const WATCH: Duration = Duration::from_secs(2);

/// Requests under way, and happenings, that `--watch` shows.
const WATCHED: u32 = 20;
const HAPPENINGS: u32 = 8;

/// Does it.
pub(crate) async fn run(args: StatusArgs) -> Result<Exit, Failure> {
    let home = context::home()?;
    let loaded = context::load_config(&context::selection(&args.pair), &home).await?;
    if !args.watch {
        say(&look(&loaded).await?, args.json)?;
        return Ok(Exit::Done);
    }
    let mut signals = Signals::new()?;
    // Dropped on every way out of here, which gives the terminal back.
    let screen = if args.json { None } else { Screen::take() };
    let looker = Looker::new(place(&loaded)?);
    loop {
        match &screen {
            Some(screen) => screen.show(&frame(see(&loaded, &looker).await)),
            None => say(&look(&loaded).await?, args.json)?,
        }
        if signals.next().await == Next::Stop {
            return Ok(Exit::Done);
        }
    }
}

fn say(status: &Status, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(status);
    }
    view::lines(status, Look::of_stdout()).iter().for_each(|line| output::line(line));
    Ok(())
}

/// What a screen shows; a database that can't be read for a moment is no reason to end.
fn frame(seen: Result<Seen, Failure>) -> Vec<String> {
    let look = Look::of_stdout();
    match seen {
        Ok(seen) => watch::lines(&seen, look),
        Err(failure) => look.wrap(&failure.to_string(), 2),
    }
}

async fn look(loaded: &Loaded) -> Result<Status, Failure> {
    let Some(store) = context::open_if_made(loaded).await? else {
        return Ok(Status::never_started(context::pair(loaded)));
    };
    let status = status::look(&store, Some(&start::instance(loaded)), now_ms()).await?;
    store.close().await;
    Ok(status)
}

/// Everything that the status page shows. What needs a pass over journal and ledger is not waited for.
async fn see(loaded: &Loaded, looker: &Looker) -> Result<Seen, Failure> {
    let Some(store) = context::open_if_made(loaded).await? else {
        let status = Status::never_started(context::pair(loaded));
        return Ok(Seen { status, requests: Vec::new(), activity: Vec::new(), thorough: Ok(None) });
    };
    let status = status::look(&store, Some(&start::instance(loaded)), now_ms()).await?;
    let unfinished: Vec<State> = State::all().into_iter().filter(|state| !state.is_end()).collect();
    let records = store.newest(&unfinished, WATCHED).await?;
    let requests = views(&store, &records).await?;
    let activity = activity::read(&store, HAPPENINGS).await?;
    store.close().await;
    let thorough = looker.thorough_so_far().await;
    Ok(Seen { status, requests, activity, thorough })
}

fn place(loaded: &Loaded) -> Result<Place, Failure> {
    let pair = context::pair(loaded);
    Ok(Place {
        database: context::location(loaded)?.address(),
        pair: (pair.origin_chain_id, pair.auxiliary_chain_id),
        instance: start::instance(loaded),
    })
}

/// Whether to look again.
#[derive(PartialEq, Eq)]
enum Next {
    Look,
    Stop,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    resized: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            resized: signal(SignalKind::window_change())?,
        })
    }

    async fn next(&mut self) -> Next {
        tokio::select! {
            () = tokio::time::sleep(WATCH) => Next::Look,
            _ = self.resized.recv() => Next::Look,
            _ = self.interrupt.recv() => Next::Stop,
            _ = self.terminate.recv() => Next::Stop,
            _ = self.hang_up.recv() => Next::Stop,
        }
    }
}
