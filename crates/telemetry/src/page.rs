//! The status page: one file that brings everything along.
//!
//! Invariants: it loads nothing but JSON from where it came from; its script and style are allowed by their own hashes,
//! so nothing that is put into it later runs; whatever it shows is set as text, since names and reasons come from chains
//! and nodes.

use crate::http::Page;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// The page as it is served.
pub const HTML: &str = include_str!("page/index.html");

/// The page with the policy that its own script and style fit.
#[must_use]
pub fn page() -> Page {
    Page {
        status: 200,
        content_type: "text/html; charset=utf-8",
        content_policy: Some(content_policy(HTML)),
        body: Bytes::from_static(HTML.as_bytes()),
    }
}

fn content_policy(html: &str) -> String {
    let script = hashes(html, "script");
    let style = hashes(html, "style");
    format!(
        "default-src 'none'; script-src{script}; style-src{style}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

/// The hashes of what stands between the tags of this name.
fn hashes(html: &str, tag: &str) -> String {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let inner = html.split(open.as_str()).skip(1).filter_map(|rest| rest.split(close.as_str()).next());
    inner.map(|text| format!(" 'sha256-{}'", base64(&Sha256::digest(text)))).collect()
}

/// Base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_everybody() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn the_page_has_one_script_and_one_style_and_both_are_allowed_by_their_hash() {
        let policy = page().content_policy.unwrap();
        assert_eq!(policy.matches("'sha256-").count(), 2, "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        // The known hash of a known text.
        assert_eq!(
            hashes("<script>alert('Hello, world.');</script>", "script"),
            " 'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
        );
    }

    #[test]
    fn nothing_in_the_page_would_be_refused_or_run_what_others_wrote() {
        // Text from chains must never be read as markup; what the policy refuses is an error in the console.
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "new Function",
            " style=\"",
            " onclick",
            " onload",
            "javascript:",
            "srcdoc",
            "DOMParser",
            "setAttribute(\"style\"",
            "cssText",
        ] {
            assert!(!HTML.contains(word), "{word}");
        }
        // Nothing from elsewhere: the one address in it is the name of a language.
        let elsewhere: Vec<&str> =
            HTML.match_indices("//").map(|(at, _)| &HTML[at..(at + 24).min(HTML.len())]).collect();
        assert!(elsewhere.iter().all(|found| found.starts_with("//www.w3.org/2000/svg")), "{elsewhere:?}");
    }
}
