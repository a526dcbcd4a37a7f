//! URLs without what is secret in them: endpoints carry keys in the path, databases carry passwords.
//!
//! Invariant: doubt hides. Scheme, host and port stay, and words of a path that can be no key.

use std::borrow::Cow;

const SECRET: &str = "[secret]";

/// Longest word of a path that is shown.
const MAX_WORD: usize = 8;

/// A URL as it may be shown: `https://[secret]@mainnet.example.io/v3/[secret]?[secret]`.
pub fn url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "[not a url]".to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let host = match (authority.split_once('@'), rest.matches('@').count()) {
        (None, 0) => Cow::Borrowed(authority),
        (Some((_, host)), 1) => Cow::Owned(format!("{SECRET}@{host}")),
        // A password with unescaped signs: no telling where it ends.
        (None | Some(_), _) => return format!("{scheme}://{SECRET}"),
    };
    let path_end = tail.find(['?', '#']).unwrap_or(tail.len());
    let (path, query) = tail.split_at(path_end);
    let path = path.split('/').map(|word| if is_harmless(word) { word } else { SECRET }).collect::<Vec<_>>().join("/");
    let query = if query.len() > 1 { format!("?{SECRET}") } else { String::new() };
    format!("{scheme}://{host}{path}{query}")
}

/// A text (of an error, say) with every URL in it as it may be shown.
pub fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find("://") {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let start = rest[..colon].rfind(|c| !is_scheme(c)).map_or(0, |before| before + char_length(rest, before));
        let is_end = |c: char| c.is_whitespace() || "\"'`<>)".contains(c);
        let end = rest[colon..].find(is_end).map_or(rest.len(), |length| colon + length);
        shown.push_str(&rest[..start]);
        shown.push_str(&url(&rest[start..end]));
        rest = &rest[end..];
    }
    shown + rest
}

fn char_length(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

/// Short words and versions (`v3`, `rpc`, `mainnet`) name an interface.
fn is_harmless(word: &str) -> bool {
    let is_word = word.len() <= MAX_WORD && word.chars().all(|c| c.is_ascii_lowercase());
    let is_version = word.len() <= 3 && word.strip_prefix('v').is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()));
    is_word || is_version || word == SECRET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (given, shown) in [
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
            ("http://[::1]:8545/", "http://[::1]:8545/"),
            ("https://mainnet.infura.io/v3/0123456789abcdef", "https://mainnet.infura.io/v3/[secret]"),
            ("https://x.quiknode.pro/3f9a/", "https://x.quiknode.pro/[secret]/"),
            ("https://h/rpc/mainnet/KEY?token=T#f", "https://h/rpc/mainnet/[secret]?[secret]"),
            ("https://h?apikey=K", "https://h?[secret]"),
            ("https://user:pw@h:1/v2", "https://[secret]@h:1/v2"),
            ("https://token@h", "https://[secret]@h"),
            ("postgres://me:p/w@h:5432/db", "postgres://[secret]"),
            ("postgres://me:p@ss@h/db", "postgres://[secret]"),
            ("https://h/a?mail=x@y", "https://[secret]"),
            ("p4ssw0rd", "[not a url]"),
        ] {
            assert_eq!(url(given), shown);
            if given.contains("://") {
                assert_eq!(url(shown), shown, "what is shown stays as it is");
            }
        }
    }

    #[test]
    fn texts() {
        for (given, shown) in [
            ("no url here: 1://", "no url here: 1://"),
            ("error for url (https://h/v3/KEY): timed out", "error for url (https://h/v3/[secret]): timed out"),
            ("“http://u:p@h/K” and wss://h/K, too", "“http://[secret]@h/[secret] and wss://h/[secret] too"),
            ("", ""),
        ] {
            assert_eq!(text(given), shown);
        }
    }
}
