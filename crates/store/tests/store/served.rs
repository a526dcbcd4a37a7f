//! Gateways that are configured later.

use crate::support::{AUXILIARY, ORIGIN, claim};
use crate::support::{Bed, address, claim_and_park, log, redeem_requested, scan, scan_stakes, set, stake_requested};
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{State, Update, Wait};
use facilitator_store::requests::Filter;

/// Another gateway pair beside [`set`], by way of the same composer and pool.
fn later() -> GatewaySet {
    GatewaySet { gateway: address(32), cogateway: address(34), ..set() }
}

fn skipped() -> Update {
    let reason = "its gateway is not one of the configured gateways".to_owned();
    Update { state: Some(State::Skipped), last_error: Some(reason), ..Update::default() }
}

/// Their requests were refused for that alone; nobody else would ever look at them again.
#[tokio::test]
async fn requests_of_a_gateway_that_is_configured_later_are_taken_up() {
    let (bed, (gateway, cogateway)) = (Bed::new(), (later().gateway, later().cogateway));
    let store = bed.store().await;
    scan_stakes(&store, 1..2).await;
    let mut stake = stake_requested(2);
    let mut redeem = redeem_requested(3);
    if let facilitator_protocol::events::Event::StakeRequested(asked) = &mut stake {
        asked.gateway = gateway;
    }
    if let facilitator_protocol::events::Event::RedeemRequested(asked) = &mut redeem {
        asked.cogateway = cogateway;
    }
    scan(&store, ORIGIN, 11, vec![(log(set().composer, 11, 1), stake)]).await;
    scan(&store, AUXILIARY, 11, vec![(log(set().redeem_pool.unwrap(), 11, 1), redeem)]).await;
    let all = claim_and_park(&store, &skipped(), &Wait::End).await;
    assert_eq!(all.len(), 3);
    // The same configuration again changes nothing.
    store.set_gateways(&[set()], 300).await.unwrap();
    assert!(claim(&store, 300).await.is_empty());

    store.set_gateways(&[set(), later()], 400).await.unwrap();
    assert_eq!(claim(&store, 400).await, all[1..], "the first one was refused for something else");
    let open = store.list(&Filter { states: vec![State::Requested], ..Filter::default() }).await.unwrap();
    assert_eq!(open.len(), 2);
    assert!(open.iter().all(|record| record.request.last_error.is_none()));
    let life = store.request_log(open[0].request.id).await.unwrap();
    assert!(life.iter().any(|line| line.text.contains("configured now")), "{life:?}");
}
