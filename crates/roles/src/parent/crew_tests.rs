//! The crew without a process: places, numbers, deaths. Processes are the affair of the end-to-end tests.

use super::*;
use crate::messages::Ask;
use crate::parent::asks::Answerer;
use facilitator_protocol::model::Side;

#[test]
fn an_empty_crew_has_all_its_places_and_never_gives_a_number_twice() {
    let mut crew = Crew::new(2, Duration::from_secs(120));
    assert_eq!((crew.free(), crew.len(), crew.is_empty()), (2, 0, true));
    let numbers: Vec<u64> = (0..3).map(|_| crew.next_no().0).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(Crew::new(0, Duration::ZERO).free(), 0);
    assert!(crew.is_worth_filling() && !crew.may_ask());
}

/// A worker of the next claim on the same row was killed for what its predecessor had lost.
#[test]
fn a_lost_claim_is_not_the_next_one_on_the_same_row() {
    let lost = |seq| Lost { request: RequestId(7), seq };
    let held = |request, seq| Claim { request: RequestId(request), seq };
    assert!(held(7, 3).is_lost_by(lost(Some(3))) && held(7, 3).is_lost_by(lost(None)));
    assert!(!held(7, 4).is_lost_by(lost(Some(3))) && !held(8, 3).is_lost_by(lost(Some(3))));
}

#[test]
fn deaths_are_counted_for_each_request_of_its_own() {
    let mut crew = Crew::new(2, Duration::from_secs(120));
    let deaths: Vec<u32> = [7, 7, 8, 7].map(|id| crew.count_death(RequestId(id))).to_vec();
    assert_eq!(deaths, [1, 2, 1, 3]);
}

/// Answers cross with the end of a worker all the time: none of this may do anything.
#[test]
fn what_is_meant_for_a_worker_that_is_gone_is_dropped() {
    let mut crew = Crew::new(2, Duration::from_secs(120));
    let gone = crew.next_no();
    crew.send(gone, &ToWorker::Parked);
    crew.parked(gone);
    crew.dismiss(Lost { request: RequestId(7), seq: Some(1) });
    crew.stop(Duration::ZERO);
    let answerer = Answerer::Sender(Side::Origin);
    for question in [Question::Read { queries: 3 }, Question::Submit, Question::Secret] {
        crew.answer_for_the_dead(Open { worker: gone, ask: Ask(1), answerer, question });
    }
    assert!(crew.bury(gone).is_none() && crew.get_mut(gone).is_none());
}
