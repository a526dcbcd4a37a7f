//! What became of a run.

use serde::{Deserialize, Serialize};

/// Most errors that a report lists, and the longest text of one.
const MAX_ERRORS: usize = 100;
const MAX_ERROR: usize = 500;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing failed; the checkpoints have moved.
    Success,
    /// Something failed; the next run looks at the same blocks again.
    Failure,
}

/// One chain of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainReport {
    /// Its id.
    pub chain_id: u64,
    /// First block; none if the chain could not be reached.
    pub from_block: Option<u64>,
    /// Last block.
    pub to_block: Option<u64>,
}

/// The report of one run, printed as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// First block of the origin chain; none if it could not be reached.
    pub from_block: Option<u64>,
    /// Last block of the origin chain.
    pub to_block: Option<u64>,
    /// How it ended.
    pub status: Status,
    /// What failed.
    pub errors: Vec<String>,
    /// Both chains, the origin chain first.
    pub chains: Vec<ChainReport>,
    /// System events that were found, those found before included.
    pub events: usize,
}

impl Report {
    /// Puts one together.
    #[must_use]
    pub fn new(chains: Vec<ChainReport>, events: usize, mut errors: Vec<String>) -> Self {
        let more = errors.len().saturating_sub(MAX_ERRORS);
        errors.truncate(MAX_ERRORS);
        for error in &mut errors {
            if let Some((cut, _)) = error.char_indices().nth(MAX_ERROR) {
                error.truncate(cut);
                error.push('…');
            }
        }
        if more > 0 {
            errors.push(format!("and {more} more"));
        }
        let status = if errors.is_empty() { Status::Success } else { Status::Failure };
        let (from_block, to_block) = chains.first().map_or((None, None), |chain| (chain.from_block, chain.to_block));
        Self { from_block, to_block, status, errors, chains, events }
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status == Status::Success
    }

    /// As one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_error_makes_a_run_fail_and_many_are_counted() {
        let chains = || vec![ChainReport { chain_id: 3, from_block: Some(88), to_block: Some(150) }];
        let good = Report::new(chains(), 2, Vec::new());
        assert_eq!(
            good.to_json(),
            r#"{"fromBlock":88,"toBlock":150,"status":"success","errors":[],"chains":[{"chainId":3,"fromBlock":88,"toBlock":150}],"events":2}"#
        );
        assert!(!Report::new(chains(), 0, vec!["x".to_owned()]).succeeded());
        let many = Report::new(chains(), 0, vec!["x".repeat(1_000); 250]);
        assert_eq!((many.errors.len(), many.errors[100].as_str()), (101, "and 150 more"));
        assert_eq!(many.errors[0].chars().count(), MAX_ERROR + 1);
    }
}
