//! Which events become lines. Pure.
//!
//! Read by hand, because the usual parser takes a mistyped level for a target and then shows nothing, without a word.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// A part of a filter that is neither a level nor `target=level`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log filter {part:?} is not understood: use off, error, warn, info, debug or trace, or target=level")]
pub struct FilterError {
    part: String,
}

/// Reads a list such as `info,facilitator_sender=debug`. An empty one lets warnings and errors through.
pub(crate) fn parse(filter: &str) -> Result<Targets, FilterError> {
    let parts = filter.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(directive).try_fold(Targets::new().with_default(LevelFilter::WARN), |targets, directive| {
        Ok(match directive? {
            (None, level) => targets.with_default(level),
            (Some(target), level) => targets.with_target(target, level),
        })
    })
}

fn directive(part: &str) -> Result<(Option<&str>, LevelFilter), FilterError> {
    let (target, level) = match part.split_once('=') {
        Some((target, level)) => (Some(target), level),
        None => (None, part),
    };
    let is_name = |target: &str| !target.is_empty() && target.chars().all(|c| c.is_alphanumeric() || "_:".contains(c));
    match level.parse() {
        // The library takes an empty level for "error".
        Ok(parsed) if !level.is_empty() && target.is_none_or(is_name) => Ok((target, parsed)),
        Ok(_) | Err(_) => Err(FilterError { part: part.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn filters_are_read_or_refused() {
        // Filter, target, the most detailed level that gets through.
        for (filter, target, expected) in [
            ("", "any", Some(Level::WARN)),
            ("info", "any", Some(Level::INFO)),
            ("INFO", "any", Some(Level::INFO)),
            ("off", "any", None),
            ("info,facilitator_sender=debug", "facilitator_sender::policy", Some(Level::DEBUG)),
            (" facilitator_sender=debug , info", "other", Some(Level::INFO)),
            ("debug,sqlx=off", "sqlx::query", None),
        ] {
            let targets = parse(filter).unwrap();
            for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
                let passes = expected.is_some_and(|most| level <= most);
                assert_eq!(targets.would_enable(target, &level), passes, "{filter:?} {level}");
            }
        }
        for bad in ["infoo", "hyper", "a=b", "=info", "info,x=", "[span]=info", "a b=info"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse("info,verbose").unwrap_err().to_string().starts_with("log filter \"verbose\" is not understood"));
    }
}
