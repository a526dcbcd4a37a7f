//! Each law has teeth: turned off where the product meets its surroundings, some seed finds it.

#![expect(clippy::print_stdout, reason = "which seed found what is worth reading")]

use facilitator_simulation::{Mutation, Telling, Violation, run};

/// Seeds within which a broken law must show.
const WITHIN: u64 = 2_000;

/// What the first seed that shows it has found.
fn found(mutation: Mutation) -> Option<(u64, Violation)> {
    (0..WITHIN).find_map(|seed| run(seed, mutation, Telling::Silent).violation.map(|violation| (seed, violation)))
}

#[test]
fn every_law_that_is_turned_off_is_found_out() {
    let mut unseen = Vec::new();
    for mutation in Mutation::ALL {
        match found(*mutation) {
            Some((seed, Violation { invariant, found })) => {
                println!("{mutation:?}: seed {seed}, `{invariant}`: {found}")
            }
            None => unseen.push(*mutation),
        }
    }
    assert_eq!(unseen, [], "not found within {WITHIN} seeds");
}
