//! The status page in a real browser, beside a real facilitator.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    browser::Browser,
    devnet::DevnetOptions,
    node::Pace,
    pages::Pages,
    stakers::Stakers,
    world::{World, WorldOptions},
};
use std::{
    env, fs,
    path::PathBuf,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);

/// What the list of requests says of the newest one.
const STATE: &str = "document.querySelector('#requests tbody .tag')?.textContent ?? ''";

/// Where pictures go, for people to look at.
fn pictures() -> Result<PathBuf> {
    let folder = env::var_os("PICTURES").map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Looks at the newest request until it has ended; every state that the page showed, in order.
async fn watch(browser: &mut Browser, until: &str, seen: &mut Vec<String>) -> Result<()> {
    let start = Instant::now();
    loop {
        let state = browser.value(STATE).await?.as_str().unwrap_or_default().to_owned();
        if !state.is_empty() && seen.last() != Some(&state) {
            seen.push(state.clone());
        }
        if state == until {
            return Ok(());
        }
        ensure!(start.elapsed() < LIMIT, "never {until}: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_running_stake_moves_through_its_states_and_nothing_is_amiss() -> Result<()> {
    let devnet = DevnetOptions { mining: Mining::Every(Duration::from_millis(500)), ..DevnetOptions::default() };
    let world =
        World::new(WorldOptions { devnet, anchoring: None, confirmations: 1, ..WorldOptions::default() }).await?;
    let pages = Pages::configure(&world.operator).await?;
    let daemon = world.operator.start().await?;
    pages.wait(LIMIT).await?;

    let mut browser = Browser::start().await?;
    browser.look_like("light", 1280, 900).await?;
    let url = format!("http://{}/", pages.address);
    browser.open(&url).await?;
    browser.until("document.getElementById('state')?.textContent === 'active'", LIMIT).await?;
    browser.until("document.querySelectorAll('#chains section').length === 2", LIMIT).await?;
    assert_eq!(browser.value("document.querySelector('#requests').innerText").await?, "None.");

    let stakers = Stakers::new(&world.devnet, 0, 1).await?;
    let stakes = stakers.request_all(&world.devnet, Pace::Natural).await?;
    let mut seen = Vec::new();
    watch(&mut browser, "ACCEPTED", &mut seen).await?;
    // It waits for a state root, and the page says so, also which request waits longest.
    browser.until("document.querySelector('#oldest').innerText.includes('state root')", LIMIT).await?;
    browser.until("document.querySelector('[data-step=\"accepted\"]').dataset.count === '1'", LIMIT).await?;
    let folder = pictures()?;
    browser.picture(&folder.join("page-waiting.png")).await?;
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    watch(&mut browser, "COMPLETE", &mut seen).await?;
    assert!(seen.len() >= 2 && seen.iter().any(|state| state == "ACCEPTED"), "{seen:?}");
    world.finish(&daemon, &stakes, LIMIT).await?;

    // Its life: all of its transactions with their times, from the first line to the last.
    browser.value("document.querySelector('#requests tbody a').click()").await?;
    browser
        .until("document.querySelectorAll('#life li').length > 5 && !document.getElementById('life').hidden", LIMIT)
        .await?;
    browser.until("document.querySelector('#life li.end') !== null", LIMIT).await?;
    let life = browser.value("document.querySelector('#life').innerText").await?;
    let life = life.as_str().context("no life")?;
    for step in ["accept", "prove_gateway", "confirm", "progress_source", "progress_target"] {
        assert!(life.contains(&format!("{step} on chain ")), "{step}: {life}");
    }
    let sorted = "[...document.querySelectorAll('#life time')].map(t => t.dateTime).every((t, i, all) => i === 0 || all[i - 1] <= t)";
    assert_eq!(browser.value(sorted).await?, true);
    // Money: a plot and the keys with their runway.
    browser.until("document.querySelector('#ledger svg .net') !== null", LIMIT).await?;
    browser.until("document.querySelectorAll('#keys tbody tr').length === 2", LIMIT).await?;

    for (scheme, width, height, name) in [
        ("light", 1280, 900, "page-light.png"),
        ("dark", 1280, 900, "page-dark.png"),
        ("light", 390, 844, "page-phone.png"),
        ("dark", 390, 844, "page-phone-dark.png"),
    ] {
        browser.look_like(scheme, width, height).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        browser.picture(&folder.join(name)).await?;
        let wide = browser.value("document.documentElement.scrollWidth").await?;
        assert!(wide.as_u64() <= Some(width.into()), "{name}: {wide} columns are wider than the screen");
    }
    // It asked nobody but the facilitator, and nothing was refused, thrown or warned of.
    assert_eq!(browser.complaints, Vec::<String>::new());
    let foreign: Vec<&String> =
        browser.asked.iter().filter(|asked| !asked.starts_with(&url) && !asked.starts_with("data:")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");

    // Without a facilitator it says how old is what it shows.
    world.operator.stop(daemon).await?;
    browser.until("document.body.classList.contains('stale')", LIMIT).await?;
    browser.until("document.getElementById('updated').textContent.includes('last heard')", LIMIT).await
}
