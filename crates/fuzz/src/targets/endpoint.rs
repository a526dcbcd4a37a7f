//! Endpoint URLs, which two crates read: the configuration checks and shows them, the client connects.

use crate::{Outcome, Target, Verdict, mutate, promise};
use facilitator_chain::rpc;
use facilitator_dice::Rng;

const URLS: [&str; 9] = [
    "http://127.0.0.1:8545",
    "https://user:@@@@@@node.example/",
    "https://mainnet.example.io/v3/@@@@@@",
    "https://node.example?apikey=@@@@@@",
    "http://[::1]:8545/@@@@@@",
    "https://u:@@@@@@@host.example:65535/a/b?c=@@@@@@&d=1",
    "http://@@@@@@@host.example",
    "HTTP://h:1/%40@@@@@@",
    "https://xn--bcher-kva.example:443/rpc",
];
/// Stands for `@@@@@@` in the URLs above. No damage below touches it.
const SECRET: &str = "k3y4fuzz1ng00";

pub(super) fn target() -> Target {
    Target { name: "endpoint", memory: 4 << 20, case: Box::new(one) }
}

fn one(rng: &mut Rng) -> Outcome {
    let pattern = URLS.get(rng.index(URLS.len())).copied().unwrap_or_default();
    let mut pieces: Vec<String> = pattern.split("@@@@@@").map(str::to_owned).collect();
    if rng.chance(850) {
        let at = rng.index(pieces.len());
        if let Some(piece) = pieces.get_mut(at) {
            mutate::text(rng, piece);
        }
    }
    let text = pieces.join(SECRET);
    let (configured, connected) = (text.parse::<facilitator_config::Endpoint>(), rpc::Endpoint::parse(&text));
    let refusals =
        [configured.as_ref().err().map(ToString::to_string), connected.as_ref().err().map(ToString::to_string)];
    for words in refusals.iter().flatten() {
        promise(!words.contains(SECRET), || format!("the error shows a credential: {words}"))?;
    }
    let Ok(configured) = configured else { return Ok(Verdict::Refused) };
    promise(configured.url() == text, || format!("{text:?} became {:?}", configured.url()))?;
    let connected = connected.map_err(|error| format!("configured {text:?}, which the client refuses: {error}"))?;
    let (shown, by_client) = (configured.to_string(), connected.to_string());
    // A key in the place of the host is no key: it is looked up in the open.
    let host_is_key = by_client.contains(SECRET);
    for words in [&shown, &format!("{configured:?}"), &format!("{connected:?}")] {
        promise(host_is_key || !words.contains(SECRET), || format!("{text:?} is shown as {words}"))?;
    }
    let host = |words: &str| {
        let rest = words.split_once("://").map_or("", |(_, rest)| rest).trim_end_matches("/…").to_lowercase();
        rest.strip_suffix(":443").or(rest.strip_suffix(":80")).map_or(rest.clone(), str::to_owned)
    };
    promise(host(&shown) == host(&by_client), || format!("{text:?} is shown as {shown}, connected to {by_client}"))?;
    let echoed = connected.scrub(&format!("cannot reach {text}: no"));
    promise(host_is_key || !echoed.contains(SECRET), || format!("{text:?} is repeated as {echoed}"))?;
    Ok(Verdict::Taken)
}
