//! One event as one line, as text or JSON.
//!
//! Invariants: a line holds no control character but its end, so that a hostile node's texts cannot forge lines; it is
//! at most [`MAX_LINE`] bytes, which a pipe takes whole, so that lines of several processes do not mix; what did not
//! fit is left out field by field and marked.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::{Identity, LogFormat};

/// Longest line in bytes, its end included: what a pipe takes in one piece (`PIPE_BUF`).
pub const MAX_LINE: usize = 4096;

/// Longest value of one field in bytes, before escaping.
const MAX_VALUE: usize = 1024;

/// Kept free for the mark of a line that was cut.
const RESERVE: usize = 16;

/// Writes fields, of events and of spans.
pub(crate) struct FieldFormat(pub(crate) LogFormat);

impl<'writer> FormatFields<'writer> for FieldFormat {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line::new(self.0);
        fields.record(&mut line);
        writer.write_str(&line.text)
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

/// Writes events.
pub(crate) struct LineFormat {
    format: LogFormat,
    /// Role, process and chain as they stand on each line.
    identity: String,
    /// Their names and values as JSON.
    own: Vec<(&'static str, String)>,
}

impl LineFormat {
    pub(crate) fn new(format: LogFormat, identity: &Identity, pid: u32) -> Self {
        let role = identity.role.as_str();
        let mut line = Line::new(format);
        match format {
            LogFormat::Text => line.text = format!("{role}[{pid}]"),
            LogFormat::Json => {
                line.add("role", role);
                line.add_raw("pid", &pid.to_string());
            }
        }
        if let Some(chain) = identity.chain {
            line.add_raw("chain", &chain.to_string());
        }
        if let Some(request) = &identity.request {
            line.add("request", request);
        }
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut own = vec![("role", text(role)), ("pid", pid.to_string())];
        own.extend(identity.chain.map(|chain| ("chain", chain.to_string())));
        own.extend(identity.request.as_deref().map(|request| ("request", text(request))));
        Self { format, identity: line.text, own }
    }

    fn head(&self, event: &Event<'_>) -> Line {
        let mut time = String::new();
        // The clock's own format can only fail if writing to a string fails.
        let _infallible = SystemTime.format_time(&mut Writer::new(&mut time));
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut line = Line::new(self.format);
        line.text = match self.format {
            LogFormat::Text => format!("{time} {level:>5} {} {target}:", self.identity),
            LogFormat::Json => format!("{{\"time\":\"{time}\",\"level\":\"{level}\"{}", self.identity),
        };
        if self.format == LogFormat::Json {
            line.add("target", target);
        }
        line
    }
}

impl<S, F> FormatEvent<S, F> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, F>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = self.head(event);
        line.own.clone_from(&self.own);
        event.record(&mut line);
        let spans = ctx.event_scope().into_iter().flat_map(|scope| scope.from_root());
        for span in spans {
            if let Some(fields) = span.extensions().get::<FormattedFields<F>>() {
                line.append(&fields.fields);
            }
        }
        writer.write_str(&line.finish())
    }
}

/// A line that grows up to its limit.
struct Line {
    format: LogFormat,
    text: String,
    cut: bool,
    /// What stands on it as JSON by whose line it is: no name may stand twice.
    own: Vec<(&'static str, String)>,
}

impl Line {
    fn new(format: LogFormat) -> Self {
        Self { format, text: String::new(), cut: false, own: Vec::new() }
    }

    /// Adds a finished piece if it fits.
    fn append(&mut self, piece: &str) {
        if self.text.len() + piece.len() + RESERVE > MAX_LINE {
            self.cut = true;
        } else {
            self.text.push_str(piece);
        }
    }

    /// Adds a field whose value is text of any origin.
    fn add(&mut self, name: &str, value: &str) {
        let (value, mark) = shorten(value);
        let piece = match self.format {
            LogFormat::Text if name == "message" => format!(" {}{mark}", Escaped(value)),
            LogFormat::Text if is_plain(value) => format!(" {name}={value}{mark}"),
            LogFormat::Text => format!(" {name}={value:?}{mark}"),
            LogFormat::Json => self.member(name, &serde_json::Value::from(format!("{value}{mark}")).to_string()),
        };
        self.append(&piece);
    }

    /// Adds a field whose value is a number or a truth value.
    fn add_raw(&mut self, name: &str, value: &str) {
        match self.format {
            LogFormat::Text => self.append(&format!(" {name}={value}")),
            LogFormat::Json => self.append(&self.member(name, value)),
        }
    }

    /// A member of an object; nothing where the line says the same of itself already, and where it says otherwise by another
    /// name: most readers of a name that stands twice know the last value alone.
    fn member(&self, name: &str, value: &str) -> String {
        let prefix = match self.own.iter().find(|(own, _)| *own == name) {
            Some((_, own)) if own == value => return String::new(),
            Some(_) => "of_",
            None => "",
        };
        format!(",{}:{value}", serde_json::Value::from(format!("{prefix}{name}")))
    }

    fn finish(mut self) -> String {
        if self.cut {
            self.text.push_str(match self.format {
                LogFormat::Text => " cut=true",
                LogFormat::Json => ",\"cut\":true",
            });
        }
        self.text.push_str(match self.format {
            LogFormat::Text => "\n",
            LogFormat::Json => "}\n",
        });
        self.text
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), &format!("{value:?}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add_raw(field.name(), &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add_raw(field.name(), &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add_raw(field.name(), &value.to_string());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            // Writing to a string cannot fail.
            let _infallible = write!(text, ": {error}");
            source = error.source();
        }
        self.add(field.name(), &text);
    }
}

/// The beginning of a value that is too long, and the mark for what is missing.
fn shorten(value: &str) -> (&str, &'static str) {
    if value.len() <= MAX_VALUE { (value, "") } else { (&value[..value.floor_char_boundary(MAX_VALUE)], "…") }
}

/// Whether a value can stand without quotes and be told apart from what surrounds it.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || c.is_ascii_punctuation() && !"\"'=".contains(c))
}

/// Text without control characters, otherwise as it is.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_debug()) } else { f.write_char(c) })
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<Vec<u8>>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `log` writes, one entry per write.
    fn written(format: LogFormat, chain: Option<u64>, log: impl FnOnce()) -> Vec<String> {
        let sink = Sink::default();
        let writer = sink.clone();
        let identity = Identity { role: "sender".into(), chain, request: None };
        let subscriber = crate::subscriber("info", format, &identity, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, log);
        let writes = sink.0.lock().unwrap();
        writes.iter().map(|bytes| String::from_utf8(bytes.clone()).unwrap()).collect()
    }

    fn sample() {
        let span = tracing::info_span!("request", request = "0xabc", step = tracing::field::Empty);
        let _entered = span.enter();
        span.record("step", "accept");
        let error = io::Error::other("node says \"no\"\nERROR forged line\x1b[31m");
        tracing::info!(nonce = 7_u64, gas = -1_i64, dry = true, at = ?[1, 2], error = &error as &dyn std::error::Error,
            "sent\nin two lines");
        tracing::debug!("not shown");
    }

    #[test]
    fn text() {
        let lines = written(LogFormat::Text, Some(1406), sample);
        let pid = std::process::id();
        let (time, rest) = lines[0].split_at(27);
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        let expected = format!(
            "  INFO sender[{pid}] chain=1406 facilitator_telemetry::line::tests: sent\\nin two lines nonce=7 gas=-1 \
             dry=true at=\"[1, 2]\" error=\"node says \\\"no\\\"\\nERROR forged line\\u{{1b}}[31m\" request=0xabc \
             step=accept\n"
        );
        assert_eq!((rest, lines.len()), (expected.as_str(), 1));
    }

    #[test]
    fn json() {
        let lines = written(LogFormat::Json, None, sample);
        assert!(lines[0].ends_with("}\n") && lines[0].lines().count() == 1);
        let mut value: Value = serde_json::from_str(&lines[0]).unwrap();
        assert!(value.as_object_mut().unwrap().remove("time").is_some());
        let expected = json!({
            "level": "INFO", "role": "sender", "pid": std::process::id(), "message": "sent\nin two lines",
            "target": "facilitator_telemetry::line::tests", "nonce": 7, "gas": -1, "dry": true, "at": "[1, 2]",
            "error": "node says \"no\"\nERROR forged line\u{1b}[31m", "request": "0xabc", "step": "accept",
        });
        assert_eq!((value, lines.len()), (expected, 1));
    }

    #[test]
    fn no_name_stands_twice() {
        let log = || tracing::info!(chain = 1406_u64, role = "scanner", "a child process ended");
        let line = written(LogFormat::Json, Some(1406), log).remove(0);
        assert_eq!(line.matches("\"chain\"").count(), 1, "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["role"], &value["of_role"]), (&json!("sender"), &json!("scanner")), "{line}");
    }

    #[test]
    fn nothing_makes_a_line_longer_than_a_pipe_takes_whole() {
        for value in ["x".repeat(1 << 20), "\u{0}".repeat(5000), "ß".repeat(5000)] {
            let log = || tracing::info!(a = value, b = value, c = value, d = value, e = 1, "{value}");
            for format in [LogFormat::Text, LogFormat::Json] {
                let lines = written(format, Some(u64::MAX), log);
                assert_eq!(lines.len(), 1, "one write");
                assert!(lines[0].len() <= MAX_LINE && lines[0].ends_with('\n'), "{} bytes", lines[0].len());
                assert_eq!(lines[0].matches('\n').count(), 1);
                if format == LogFormat::Json {
                    let value: Value = serde_json::from_str(&lines[0]).unwrap();
                    assert_eq!((&value["cut"], &value["e"]), (&json!(true), &json!(1)), "the rest is still there");
                }
            }
        }
    }

    #[test]
    fn plain_values() {
        for (value, plain) in [("0xabc", true), ("a b", false), ("", false), ("a=b", false), ("https://h/x", true)] {
            assert_eq!(is_plain(value), plain, "{value:?}");
        }
    }
}
