//! Which page is where, and what stands on it.

use super::export::export;
use crate::clock::now_ms;
use crate::look::{LookError, Looker, Place, Thorough};
use crate::messages::MetricsSetup;
use crate::views::keys::keys;
use crate::views::ledger::Period;
use crate::views::requests::{self, FindError};
use crate::views::{activity, age};
use facilitator_protocol::model::State;
use facilitator_store::StoreError;
use facilitator_telemetry::http::{Answer, Page, Pages};
use facilitator_telemetry::{metrics, page};
use serde::Serialize;
use std::sync::Arc;

/// Requests and lines that are told unless somebody wants another number, and at most.
const SOME: u32 = 100;
const MOST: u32 = 1_000;

/// A facilitator that is silent for so long does not live.
const ALIVE_MS: i64 = 30_000;

/// All pages.
pub(super) struct StatusPages {
    looker: Looker,
}

/// Why a page can't be shown.
enum Refusal {
    /// The question makes no sense.
    Wrong(String),
    /// There is no such thing.
    Missing(String),
    /// The database refuses, needs time, or holds what can't be shown; later it may not.
    Later(LookError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Later(error.into())
    }
}

impl From<LookError> for Refusal {
    fn from(error: LookError) -> Self {
        Self::Later(error)
    }
}

impl From<FindError> for Refusal {
    fn from(error: FindError) -> Self {
        match error {
            FindError::NoHash(_) | FindError::Several(_) => Self::Wrong(error.to_string()),
            FindError::None(_) => Self::Missing(error.to_string()),
            FindError::Store(error) => error.into(),
        }
    }
}

impl Pages for StatusPages {
    fn page<'a>(&'a self, path: &'a str, query: &'a str) -> Answer<'a> {
        Box::pin(async move { self.find(path, query).await.unwrap_or_else(refused) })
    }
}

impl StatusPages {
    pub(super) fn new(setup: MetricsSetup) -> Self {
        let MetricsSetup { database, pair, instance, .. } = setup;
        Self { looker: Looker::new(Place { database, pair, instance }) }
    }

    async fn find(&self, path: &str, query: &str) -> Result<Page, Refusal> {
        let asked = Asked::parse(query)?;
        match path {
            "/" => Ok(page::page()),
            "/metrics" => self.metrics().await,
            "/healthz" => self.health().await,
            "/readyz" => self.readiness().await,
            "/status" => Ok(json(&self.looker.quick().await?.status)),
            "/keys" => {
                let (quick, thorough) = (self.looker.quick().await?, self.thorough().await?);
                Ok(json(&keys(quick.status.standing.as_ref(), &thorough)))
            }
            "/ledger" => self.ledger(asked.period.unwrap_or(Period::Day)).await,
            "/activity" => {
                let lines = activity::read(&self.looker.store().await?, asked.limit.unwrap_or(SOME)).await?;
                Ok(json(&lines))
            }
            "/requests" => {
                let store = self.looker.store().await?;
                let records = store.newest(&asked.states, asked.limit.unwrap_or(SOME)).await?;
                Ok(json(&requests::views(&store, &records).await?))
            }
            other => match other.strip_prefix("/requests/") {
                Some(hash) => Ok(json(&requests::life(&self.looker.store().await?, hash).await?)),
                None => Err(Refusal::Missing("there is no such page; the status page is at /".to_owned())),
            },
        }
    }

    async fn metrics(&self) -> Result<Page, Refusal> {
        let quick = self.looker.quick().await?;
        // Better most of the numbers than none.
        let thorough = self.looker.thorough().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "metrics without those of journal and ledger");
            None
        });
        let text = export(&quick, thorough.as_deref()).to_text();
        Ok(Page { content_type: metrics::CONTENT_TYPE, ..Page::text(200, text) })
    }

    /// Whether the facilitator lives; one that waits for a node does.
    async fn health(&self) -> Result<Page, Refusal> {
        Ok(match self.looker.pulse().await?.heartbeat_age_ms {
            None => Page::text(503, "no facilitator runs\n"),
            Some(silent) if silent > ALIVE_MS => {
                let text = format!("the facilitator has not reported for {}; its log says more\n", age(silent / 1_000));
                Page::text(503, text)
            }
            Some(_) => Page::text(200, "ok\n"),
        })
    }

    /// Whether requests are worked on.
    async fn readiness(&self) -> Result<Page, Refusal> {
        Ok(match self.looker.pulse().await?.idle_because() {
            None => Page::text(200, "ok\n"),
            Some(why) => Page::text(503, format!("{why}\n")),
        })
    }

    async fn ledger(&self, period: Period) -> Result<Page, Refusal> {
        let thorough = self.thorough().await?;
        Ok(Page::json(200, thorough.pages.get(&period).cloned().ok_or(LookError::Unwritten)?))
    }

    async fn thorough(&self) -> Result<Arc<Thorough>, Refusal> {
        Ok(self.looker.thorough().await?.ok_or(LookError::Late)?)
    }
}

/// What a query asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    states: Vec<State>,
    limit: Option<u32>,
    period: Option<Period>,
}

impl Asked {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name {
                "state" if value == "unfinished" => {
                    asked.states.extend(State::all().into_iter().filter(|state| !state.is_end()));
                }
                "state" => {
                    asked.states.push(requests::state(value).map_err(|error| Refusal::Wrong(error.to_string()))?);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    let wrong = || Refusal::Wrong(format!("limit: must be a whole number from 1 to {MOST}"));
                    asked.limit = Some(limit.ok_or_else(wrong)?);
                }
                "period" => {
                    let period = Period::EACH.into_iter().find(|period| period.name() == value);
                    let wrong = || Refusal::Wrong("period: must be day, month or all".to_owned());
                    asked.period = Some(period.ok_or_else(wrong)?);
                }
                _ => return Err(Refusal::Wrong("unknown question; there are state, limit and period".to_owned())),
            }
        }
        Ok(asked)
    }
}

fn json(value: &impl Serialize) -> Page {
    match serde_json::to_string(value) {
        Ok(text) => Page::json(200, text),
        Err(error) => refused(Refusal::Wrong(error.to_string())),
    }
}

fn refused(refusal: Refusal) -> Page {
    let (status, message) = match refusal {
        Refusal::Wrong(text) => (400, text),
        Refusal::Missing(text) => (404, text),
        Refusal::Later(error) => (503, error.to_string()),
    };
    let error =
        serde_json::json!({ "error": { "code": status, "message": message, "at": crate::views::time(now_ms()) } });
    Page::json(status, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_understood_or_refused() {
        let parse = |query: &str| Asked::parse(query).ok();
        assert_eq!(parse(""), Some(Asked::default()));
        let two = parse("state=requested&state=PROGRESS_MINT&limit=7&period=month").unwrap();
        let states = vec![State::Requested, State::TargetProgressed];
        assert_eq!(two, Asked { states, limit: Some(7), period: Some(Period::Month) });
        let unfinished = parse("state=unfinished").unwrap().states;
        assert!(unfinished.contains(&State::Unknown) && !unfinished.contains(&State::Complete));
        for wrong in
            ["limit=0", "limit=1001", "limit=", "limit=-1", "state=DONE", "period=year", "hash=1", "=", "state"]
        {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
