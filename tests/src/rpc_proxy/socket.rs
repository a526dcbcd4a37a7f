//! WebSockets: passed through as they are, or not at all.
//!
//! Frames are not looked into, so that no lie can be told in them: while one stands, WebSockets are refused, and those
//! that are open are closed.

use super::{
    Shared,
    http::{Message, Upstream},
};
use anyhow::Result;
use tokio::{
    io::{AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::TcpStream,
};

pub(super) async fn serve(
    mut client: BufReader<TcpStream>,
    request: &Message,
    node: &Upstream,
    shared: &Shared,
) -> Result<()> {
    let mut changes = shared.changes.subscribe();
    changes.mark_unchanged();
    if !shared.lock().faults.sockets_pass() {
        return Message::answer(503, "", "").write(client.get_mut()).await;
    }
    shared.lock().counts.sockets += 1;
    let mut node = node.connect().await?;
    request.write(&mut node).await?;
    node.write_all(client.buffer()).await?;
    let passing = copy_bidirectional(client.get_mut(), &mut node);
    let closing = changes.wait_for(|()| !shared.lock().faults.sockets_pass());
    tokio::select! {
        passed = passing => drop(passed?),
        closed = closing => drop(closed),
    }
    Ok(())
}
