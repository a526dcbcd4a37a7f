//! One connection of a client.

use super::{
    Fault, Request, Shared,
    calls::{calls, each_answer, method, refuse_all},
    faults::{Length, Trouble},
    http::{Message, Upstream, read_message},
    socket,
};
use anyhow::Result;
use serde_json::Value as Json;
use std::{collections::BTreeSet, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, BufReader},
    net::TcpStream,
};

pub(super) async fn serve(client: TcpStream, upstream: Arc<str>, shared: Arc<Shared>) -> Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::new(client);
    let mut node = Upstream::new(upstream);
    while let Some(message) = read_message(&mut client).await? {
        if message.is_upgrade() {
            return socket::serve(client, &message, &node, &shared).await;
        }
        let asked: Json = serde_json::from_slice(&message.body).unwrap_or_default();
        match decide(&shared, &asked) {
            Fault::None => {}
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::Status(status) => {
                Message::answer(status, "", "").write(client.get_mut()).await?;
                continue;
            }
            Fault::Drop => return Ok(()),
            Fault::LoseAnswer => {
                let _ = node.exchange(&message).await?;
                return Ok(());
            }
        }
        let (trouble, faults) = {
            let mut state = shared.lock();
            (state.faults.next(), state.faults.clone())
        };
        if let Some(latency) = faults.latency {
            tokio::time::sleep(latency).await;
        }
        match trouble {
            Trouble::None => {}
            Trouble::Drop => return Ok(()),
            Trouble::LoseAnswer => {
                let _ = node.exchange(&message).await?;
                return Ok(());
            }
            Trouble::Stall => return stall(&mut client).await,
            Trouble::Unavailable => {
                Message::answer(503, "", "").write(client.get_mut()).await?;
                continue;
            }
            Trouble::RateLimit(pause) => {
                let lines = format!("retry-after: {}\r\n", pause.as_secs());
                Message::answer(429, &lines, "too many requests").write(client.get_mut()).await?;
                continue;
            }
            Trouble::Error(code, words) => {
                let lines = "content-type: application/json\r\n";
                Message::answer(200, lines, &refuse_all(&asked, code, words)).write(client.get_mut()).await?;
                continue;
            }
        }
        let mut answer = if faults.lies() {
            faults.exchange(&message, &asked, &mut node).await?
        } else {
            node.exchange(&message).await?
        };
        edit(&shared, &asked, &mut answer);
        if let Some(length) = faults.truncating {
            let half = answer.body.len() / 2;
            answer.body.truncate(half);
            if length == Length::Right {
                answer.tell_length(half);
            }
            answer.write(client.get_mut()).await?;
            return Ok(());
        }
        answer.write(client.get_mut()).await?;
    }
    Ok(())
}

/// Holds the connection without an answer until the client gives up.
async fn stall(client: &mut BufReader<TcpStream>) -> Result<()> {
    let mut ignored = [0; 1024];
    while client.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// Counts a request and asks the rule about it.
fn decide(shared: &Shared, asked: &Json) -> Fault {
    let methods: Vec<String> = calls(asked).iter().map(|call| method(call).to_owned()).collect();
    let mut state = shared.lock();
    state.counts.requests += 1;
    for method in &methods {
        *state.counts.calls.entry(method.clone()).or_default() += 1;
    }
    let kind = methods.iter().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" + ");
    *state.counts.kinds.entry(kind).or_default() += 1;
    let number = state.counts.requests;
    (state.rule)(&Request { number, methods: &methods })
}

/// Lets the editor change what a node answers.
fn edit(shared: &Shared, asked: &Json, answer: &mut Message) {
    let mut state = shared.lock();
    let Some(edit) = state.edit.as_mut() else { return };
    let Ok(mut told) = serde_json::from_slice::<Json>(&answer.body) else { return };
    each_answer(asked, &mut told, |call, answer| edit(method(call), &call["params"], answer));
    answer.set_body(told.to_string().into_bytes());
}
