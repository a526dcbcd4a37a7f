//! What a panic of a process that holds secrets may say.

use super::*;
use std::io::Write;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn refused(reason: &str) -> Result<(), String> {
    Err(reason.to_owned())
}

/// One test alone, because the hook belongs to the whole process.
#[test]
#[allow(clippy::panic, reason = "panics are what is tested")]
fn a_panic_is_one_line_with_its_place_and_never_a_value() {
    let lines = Lines::default();
    let writer = lines.clone();
    let identity = Identity { role: "sender".to_owned(), chain: Some(3), request: None };
    let subscriber = subscriber("info", LogFormat::Text, &identity, move || writer.clone()).unwrap();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(log_panic));
    let secret = String::from("0xdeadbeef");
    tracing::subscriber::with_default(subscriber, || {
        let made: Result<(), _> = catch_unwind(|| panic!("the key is {secret}"));
        let unwrapped = catch_unwind(|| refused(&secret).unwrap());
        let written: Result<(), _> = catch_unwind(|| panic!("the pot is empty"));
        assert!(made.is_err() && unwrapped.is_err() && written.is_err());
    });
    std::panic::set_hook(before);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("deadbeef"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().all(|line| line.contains("panic_tests.rs:") && line.contains("this is a bug")), "{text}");
    assert!(text.lines().take(2).all(|line| line.contains("not shown")) && text.contains("the pot is empty"), "{text}");
}
