//! Registered processes, gateways and proofs.

use crate::support::{Bed, ORIGIN, address, set, word};
use facilitator_eth::Bytes;
use facilitator_store::{
    processes::{NewProcess, ProcessKind, Registered},
    proofs::StoredProof,
};

fn process(kind: ProcessKind, instance: &str, pid: u32, key: u8) -> NewProcess {
    NewProcess {
        kind,
        instance: instance.to_owned(),
        chain_id: (kind == ProcessKind::Scanner).then_some(ORIGIN),
        host: "host".to_owned(),
        pid,
        pid_started: "123456".to_owned(),
        config: Some("/c.json".to_owned()),
        keys: vec![(ORIGIN, address(key))],
    }
}

#[tokio::test]
async fn a_living_process_is_in_the_way_of_its_double_a_dead_one_is_not() {
    let bed = Bed::new();
    let store = bed.store().await;
    let alive = |_: &facilitator_store::processes::Process| true;
    let dead = |_: &facilitator_store::processes::Process| false;
    let first = process(ProcessKind::Facilitator, "a", 10, 1);
    assert_eq!(store.register(&first, &alive, 5).await.unwrap(), Registered::As(1));
    let others = [
        ("same instance", process(ProcessKind::Facilitator, "a", 11, 2), false),
        ("same key", process(ProcessKind::Facilitator, "b", 12, 1), false),
        ("another kind", process(ProcessKind::Scanner, "a", 13, 1), true),
        ("another instance and key", process(ProcessKind::Facilitator, "b", 14, 2), true),
    ];
    for (name, other, may) in others {
        match store.register(&other, &alive, 6).await.unwrap() {
            Registered::As(_) => assert!(may, "{name}"),
            Registered::Refused(by) => {
                assert!(!may, "{name}");
                assert_eq!((by.registered.pid, by.registered.keys.clone()), (10, first.keys.clone()));
            }
        }
    }
    let again = process(ProcessKind::Facilitator, "a", 20, 1);
    let Registered::As(id) = store.register(&again, &dead, 7).await.unwrap() else { panic!("refused by the dead") };
    assert!(store.heartbeat(id, 99).await.unwrap());
    assert!(!store.heartbeat(1, 99).await.unwrap(), "removed with its keys");
    let running = store.processes().await.unwrap();
    assert_eq!(running.iter().map(|p| p.registered.pid).collect::<Vec<_>>(), [13, 14, 20]);
    assert_eq!((running[2].heartbeat_at_ms, &running[2].registered), (99, &again));
    store.deregister(id).await.unwrap();
    assert_eq!(store.processes().await.unwrap().len(), 2);
}

#[tokio::test]
async fn gateways_and_proofs_come_back_as_they_were() {
    let bed = Bed::new();
    let store = bed.store().await;
    assert_eq!(store.gateways().await.unwrap(), [set()]);
    store.set_gateways(&[], 2).await.unwrap();
    assert_eq!(store.gateways().await.unwrap(), []);
    let proof = StoredProof {
        chain_id: ORIGIN,
        contract: set().gateway,
        height: 12,
        state_root: Some(word(1)),
        storage_root: None,
        rlp_account: Some(Bytes(vec![1])),
        account_nodes: Some(Bytes(vec![2; 5_000])),
        proven_block: None,
    };
    store.save_proof(&proof).await.unwrap();
    assert_eq!(store.proof(ORIGIN, set().gateway, 10).await.unwrap(), Some(proof));
    assert_eq!(store.proof(ORIGIN, set().gateway, 13).await.unwrap(), None);
}
