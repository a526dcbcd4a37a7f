//! The parent's clerk, its only way to the database: one order, one commit, then the receipt.

use crate::desk::Reply;
use crate::disk::Kept;
use crate::hire;
use crate::mutation::Mutation;
use crate::parent::{Birth, Hand, Letter};
use crate::world::{Mail, World};
use facilitator_protocol::model::{Park, RequestId, Update};
use std::rc::Rc;

/// An order to the clerk.
#[derive(Debug)]
pub(crate) enum Task {
    Save(u64, RequestId, Box<Update>),
    Park(u64, RequestId, Box<Park>),
    PutBack(RequestId, i64),
    Claim(usize),
}

/// One turn of the clerk: one order, one commit.
pub(crate) fn write(world: &mut World) {
    let now_ms = world.wall_ms();
    if world.disk_refuses().is_some() {
        // Tried again until it is taken; nobody hears "saved" before.
        return;
    }
    let Some(task) = world.parent.tasks.pop_front() else { return };
    match task {
        Task::Save(worker, id, update) => {
            world.note(|| format!("clerk: request {id} saved: {:?}", update.attempt.map(|attempt| attempt.number)));
            let forgets = world.mutation == Mutation::AcceptBeforePersisting && update.attempt.is_some();
            if forgets || world.disk.update(id, &update, now_ms) == Kept::Yes {
                world.parent.tell(worker, Reply::Saved);
            } else {
                world.parent.post(Letter::WorkerEnded(worker));
            }
        }
        Task::Park(worker, id, park) => {
            let retry_at = park.retry_in_ms.map(|wait| now_ms.saturating_add_unsigned(wait));
            world.note(|| format!("clerk: request {id} parked as {:?}: {:?}", park.update.state, park.waiting_for));
            let _lost = world.disk.park(id, &park, retry_at, now_ms);
            world.parent.deaths.remove(&id);
            world.parent.tell(worker, Reply::Parked);
        }
        Task::PutBack(id, at) => {
            let _lost = world.disk.release(id, Some(at));
        }
        Task::Claim(limit) => {
            let claimed = world.disk.claim_ready(limit, now_ms);
            world.parent.claiming = false;
            for request in claimed {
                let id = request.id;
                let Some(job) = hire::job(world, request) else {
                    let _lost = world.disk.release(id, Some(now_ms + 100));
                    continue;
                };
                let number = world.parent.next_life();
                world.note(|| format!("worker {number} begins with request {id}"));
                let mail = Mail::default();
                let hand = Hand { request: id, mail: Rc::clone(&mail), parking: false, open: Vec::new() };
                world.parent.hands.insert(number, hand);
                world.births.push(Birth::Worker(number, mail, Box::new(job)));
            }
        }
    }
}
