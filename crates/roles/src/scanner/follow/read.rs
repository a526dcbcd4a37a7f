//! Reading events: from one endpoint where they are proven, from two where they are not.

use super::Scene;
use facilitator_chain::connector::{EndpointId, Witness};
use facilitator_chain::scan::{Checkpoint, FetchError, FetchedRange, LogFilter, Span};
use facilitator_chain::types::Header;

/// Headers that are asked for at once.
const HEADERS_AT_ONCE: usize = 200;

/// Why events could not be read.
#[derive(Debug)]
pub enum Unread {
    /// The endpoint did not give them, or gave what cannot be true.
    Endpoint(FetchError),
    /// The endpoint that is to say the same said nothing that can be used.
    Witness(EndpointId, FetchError),
    /// There is nobody who could say the same at present.
    Unwitnessed,
}

impl From<FetchError> for Unread {
    fn from(error: FetchError) -> Self {
        Self::Endpoint(error)
    }
}

/// What an endpoint says, if its witness says the same.
async fn agreed(
    endpoint: EndpointId,
    witness: Option<EndpointId>,
    read: impl AsyncFn(EndpointId) -> Result<FetchedRange, FetchError>,
) -> Result<FetchedRange, Unread> {
    let Some(witness) = witness else { return Ok(read(endpoint).await?) };
    let (said, seen) = tokio::join!(read(endpoint), read(witness));
    let (said, seen) = (said?, seen.map_err(|error| Unread::Witness(witness, error))?);
    if said.entries == seen.entries && said.checkpoint() == seen.checkpoint() {
        return Ok(said);
    }
    let Span { from, to } = said.span;
    let message = format!("{endpoint} and {witness} tell different events of blocks {from} to {to}");
    Err(FetchError::Lied { message }.into())
}

/// The events of a range as told, with the headers of its ends and of the blocks with events.
pub(super) async fn told<S: Scene>(
    scene: &S,
    endpoint: EndpointId,
    witness: Option<EndpointId>,
    filter: &LogFilter,
    span: Span,
) -> Result<FetchedRange, Unread> {
    agreed(endpoint, witness, async |endpoint| scene.range(endpoint, filter, span).await).await
}

/// The events of a range, block by block: from all headers, which must link, as proven as these allow.
pub(super) async fn block_by_block<S: Scene>(
    scene: &S,
    endpoint: EndpointId,
    witness: Option<EndpointId>,
    filter: &LogFilter,
    span: Span,
) -> Result<FetchedRange, Unread> {
    let numbers: Vec<u64> = (span.from..=span.to).collect();
    let mut headers: Vec<Header> = Vec::with_capacity(numbers.len());
    for some in numbers.chunks(HEADERS_AT_ONCE) {
        headers.extend(scene.headers(endpoint, some).await?);
    }
    if !super::ranges::link(&headers) {
        let message = format!("{endpoint} tells blocks {} to {} that do not follow each other", span.from, span.to);
        return Err(FetchError::Lied { message }.into());
    }
    // The last hash binds all of them.
    if let (Some(witness), Some(last)) = (witness, headers.last()) {
        let seen = scene.headers(witness, &[span.to]).await.map_err(|error| Unread::Witness(witness, error))?;
        if seen.first().is_none_or(|seen| seen.hash != last.hash) {
            let message = format!("{endpoint} and {witness} tell different blocks {}", span.to);
            return Err(FetchError::Lied { message }.into());
        }
    }
    let witness = witness.map_or(Witness::NotNeeded, Witness::Of);
    let FetchedRange { mut headers, entries, refused, .. } =
        under_headers(scene, endpoint, witness, filter, span, headers).await?;
    let has_events = |number: u64| entries.binary_search_by_key(&number, |entry| entry.log.block_number).is_ok();
    headers.retain(|header| [span.from, span.to].contains(&header.number) || has_events(header.number));
    Ok(FetchedRange { span, headers, entries, refused })
}

/// The events of blocks whose hashes are agreed on, from those among them that may have some. `headers` are those that
/// are known already.
pub(super) async fn remembered<S: Scene>(
    scene: &S,
    endpoint: EndpointId,
    witness: Witness,
    filter: &LogFilter,
    span: Span,
    blocks: &[Checkpoint],
    mut headers: Vec<Header>,
) -> Result<FetchedRange, Unread> {
    let is_known = |number: u64| headers.iter().any(|header| header.number == number);
    let missing: Vec<u64> = blocks.iter().map(|block| block.number).filter(|number| !is_known(*number)).collect();
    for header in scene.headers(endpoint, &missing).await? {
        let agreed = blocks.iter().find(|block| block.number == header.number).map(|block| block.hash);
        if let Some(agreed) = agreed.filter(|agreed| *agreed != header.hash) {
            return Err(FetchError::Inconsistent { number: header.number, header: agreed, log: header.hash }.into());
        }
        headers.push(header);
    }
    headers.sort_by_key(|header| header.number);
    under_headers(scene, endpoint, witness, filter, span, headers).await
}

/// The events of the blocks with these headers.
async fn under_headers<S: Scene>(
    scene: &S,
    endpoint: EndpointId,
    witness: Witness,
    filter: &LogFilter,
    span: Span,
    mut headers: Vec<Header>,
) -> Result<FetchedRange, Unread> {
    let second = bind(scene, endpoint, witness, &mut headers).await?;
    let likely: Vec<Header> = headers.iter().filter(|header| filter.may_be_under(header)).cloned().collect();
    if likely.is_empty() {
        return Ok(FetchedRange { span, headers, entries: Vec::new(), refused: Vec::new() });
    }
    let found = agreed(endpoint, second, async |endpoint| scene.events(endpoint, filter, &likely).await).await?;
    Ok(FetchedRange { span, headers, ..found })
}

/// Whether a header proves the logs of its block.
pub(super) const fn is_bound(header: &Header) -> bool {
    header.receipts_root.is_some()
}

/// Replaces headers that prove nothing by what the witness has for the same hash. If some are left, their logs are as
/// told, and the endpoint is given that must say the same.
async fn bind<S: Scene>(
    scene: &S,
    endpoint: EndpointId,
    witness: Witness,
    headers: &mut [Header],
) -> Result<Option<EndpointId>, Unread> {
    let unbound: Vec<u64> = headers.iter().filter(|header| !is_bound(header)).map(|header| header.number).collect();
    if unbound.is_empty() {
        return Ok(None);
    }
    let witness = match witness {
        Witness::Of(witness) => witness,
        Witness::NotNeeded => return Ok(None),
        Witness::Awaited => return Err(Unread::Unwitnessed),
    };
    let seen = scene.headers(witness, &unbound).await.map_err(|error| Unread::Witness(witness, error))?;
    for seen in seen {
        let Some(header) = headers.iter_mut().find(|header| header.number == seen.number) else { continue };
        if header.hash != seen.hash {
            // A hash that no fields give is an opinion, and not what was agreed on.
            let message = format!("{endpoint} tells of block {} what {witness} does not", seen.number);
            return Err(FetchError::Lied { message }.into());
        }
        if is_bound(&seen) {
            *header = seen;
        }
    }
    Ok(headers.iter().any(|header| !is_bound(header)).then_some(witness))
}
