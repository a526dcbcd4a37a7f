//! Who may be active: at most so many, the heaviest first (H16).

use super::instance::Status;

/// An instance that could be in the active set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its weight; the heavier is preferred.
    pub weight: u64,
    /// Its status.
    pub status: Status,
    /// Whether it says that it could work.
    pub ready: bool,
}

/// The names of those in the active set. Of equal weight the one that works already is preferred, so that nobody is
/// dropped for a newcomer of the same weight; then the name decides, so that all who look find the same.
#[must_use]
pub fn active_set(candidates: &[Candidate], maximum: u32) -> Vec<String> {
    let mut fit: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| match candidate.status {
            Status::Inactive => candidate.ready,
            // Maintenance keeps the place: an operator who tends its host does not lose it.
            Status::Active | Status::RequestMaintenance | Status::InMaintenance => true,
            Status::Deregistered => false,
        })
        .collect();
    fit.sort_by(|a, b| {
        let heavier = b.weight.cmp(&a.weight);
        let working = b.status.may_sign().cmp(&a.status.may_sign());
        heavier.then(working).then_with(|| a.name.cmp(&b.name))
    });
    let maximum = usize::try_from(maximum).unwrap_or(usize::MAX);
    fit.into_iter().take(maximum).map(|candidate| candidate.name.clone()).collect()
}
