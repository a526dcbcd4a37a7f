//! What the cases begin with: entries recorded on the real contracts, published configurations, key stores of other
//! tools. They are the fixtures of the crates' own tests.

use serde_json::Value;
use std::sync::LazyLock;

macro_rules! documents {
    ($($name:ident = $path:literal;)*) => { $(
        // A fixture that is damaged shows as a target that takes nothing, which the tests refuse.
        pub(crate) static $name: LazyLock<Value> =
            LazyLock::new(|| serde_json::from_str(include_str!($path)).unwrap_or_default());
    )* };
}

documents! {
    VECTORS = "../../protocol/tests/vectors/mosaic-0.12.0.json";
    BLOCK = "../../chain/vectors/mainnet_block_1.json";
    TRIES = "../../eth/tests/fixtures/tries.json";
    KEY_STORES = "../../eth/tests/fixtures/keystores.json";
    MOSAIC_TICKET = "../../config/tests/fixtures/ticket-mosaic-config.json";
    MOSAIC_GOERLI = "../../config/tests/fixtures/goerli.json";
    MOSAIC_ROPSTEN = "../../config/tests/fixtures/ropsten.json";
    MOSAIC_ETHEREUM = "../../config/tests/fixtures/ethereum.json";
    FACILITATOR_PUBLISHED = "../../config/tests/fixtures/published-facilitator-config.json";
    FACILITATOR_EXAMPLE = "../../../config/facilitator-config.example.json";
}

/// The text at a JSON pointer; empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The text at a JSON pointer, read as `T`.
pub(crate) fn read<T: std::str::FromStr + Default>(value: &Value, pointer: &str) -> T {
    text(value, pointer).parse().unwrap_or_default()
}
