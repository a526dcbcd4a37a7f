//! The status page in a real browser, beside a real facilitator.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    anvil::Mining,
    browser::Browser,
    database,
    devnet::{DevnetOptions, Side},
    node::Pace,
    pages::Pages,
    stakers::Stakers,
    verify,
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

/// Blocks that a stake may take.
const MOST_BLOCKS: usize = 80;

/// The states of a stake in their order, at one leg of the last step of which either may be first. Not [`FLEETING`].
const STATES: [&str; 5] =
    ["REQUESTED", "ACCEPTED", "STAKE_INTENT_CONFIRMED", "PROGRESS_MINT|PROGRESS_STAKE", "COMPLETE"];

/// Proof and confirmation share a block, so that nobody can count on seeing what lies between them.
const FLEETING: &str = "ACCOUNT_PROVEN";

/// What a node or a contract may say of an error, to a page that would take it for markup.
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";

/// Waits until the page shows the state that the facilitator tells of the one request; none if there is none yet.
async fn shown(browser: &mut Browser, world: &World) -> Result<Option<String>> {
    let start = Instant::now();
    loop {
        let rows = world.operator.requests().await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let state = browser.value(STATE).await?;
        if state == row.state.as_str() {
            return Ok(Some(row.state.clone()));
        }
        ensure!(start.elapsed() < LIMIT, "the page shows {state}, the request is {}", row.state);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Has the database tell hostile text wherever a page shows text of others.
async fn say_hostile_things(world: &World) -> Result<()> {
    let url = format!("sqlite://{}", database::file(&world.operator.config).display());
    let pool = sqlx::SqlitePool::connect(&url).await?;
    for sql in [
        "UPDATE requests SET last_error = $1, waiting_for = $1",
        "INSERT INTO request_log (request_id, at_ms, state, text) SELECT id, updated_at_ms, state, $1 FROM requests",
    ] {
        sqlx::query(sql).bind(HOSTILE).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

#[tokio::test]
async fn a_running_stake_moves_through_its_states_and_nothing_is_amiss() -> Result<()> {
    // Blocks are made by hand, so that each state lasts until the page has shown it.
    let devnet = DevnetOptions { mining: Mining::OnDemand, ..DevnetOptions::default() };
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
    let stakes = stakers.request_all(&world.devnet, Pace::Hurried).await?;
    let folder = pictures()?;
    let mut anchoring = None;
    let mut seen: Vec<String> = Vec::new();
    for block in 0..MOST_BLOCKS {
        world.settle().await;
        if let Some(state) = shown(&mut browser, &world).await?
            && state != FLEETING
            && seen.last() != Some(&state)
        {
            if state == "ACCEPTED" {
                // It waits for a state root, and the page says so, also which request waits longest.
                browser.until("document.querySelector('#oldest').innerText.includes('state root')", LIMIT).await?;
                browser
                    .until("document.querySelector('[data-step=\"accepted\"]').dataset.count === '1'", LIMIT)
                    .await?;
                browser.picture(&folder.join("page-waiting.png")).await?;
                anchoring = Some(Anchoring::start(&world.devnet, Policy::default()));
            }
            seen.push(state);
        }
        if seen.last().is_some_and(|state| state == "COMPLETE") {
            break;
        }
        // Not both at once: the two last steps are seen one after the other.
        let side = if block % 2 == 0 { Side::Auxiliary } else { Side::Origin };
        world.devnet.node(side).mine(1).await?;
    }
    drop(anchoring);
    let told = seen.iter().zip(STATES).all(|(state, known)| known.split('|').any(|known| known == state));
    assert!(seen.len() == STATES.len() && told, "the page showed {seen:?}");
    verify::finished(&world.devnet, &stakes).await.with_context(|| daemon.log_tail())?;

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
    // What others wrote is text, in the list, in the life of a request and among what happened last.
    say_hostile_things(&world).await?;
    let text = serde_json::to_string(HOSTILE)?;
    for place in ["#requests", "#life", "#activity"] {
        browser.until(&format!("document.querySelector('{place}').textContent.includes({text})"), LIMIT).await?;
    }
    assert_eq!(browser.value("document.querySelectorAll('main img, main script').length").await?, 0);
    assert_ne!(browser.value("document.title").await?, "owned");
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
