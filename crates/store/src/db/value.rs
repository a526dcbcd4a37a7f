//! The two kinds of value that both databases spell alike: 64-bit integers and text.
//!
//! Amounts are decimal text (law 11), hashes and addresses lower-case hexadecimal text, times Unix milliseconds, truth
//! 0 or 1. Nulls keep their type, which PostgreSQL wants to know.

use crate::error::{Result, StoreError};
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_protocol::model::{Kind, MessageStatus, RequestId, Step};
use std::{fmt::Display, str::FromStr, sync::Arc};

/// A value on its way into or out of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A 64-bit integer or its null.
    Integer(Option<i64>),
    /// A text or its null.
    Text(Option<String>),
}

impl Value {
    /// Whether it is none.
    pub(crate) const fn is_null(&self) -> bool {
        match self {
            Self::Integer(number) => number.is_none(),
            Self::Text(text) => text.is_none(),
        }
    }
}

/// What can be stored.
pub(crate) trait ToValue {
    /// The null of its column type.
    fn null() -> Value;

    /// The stored form.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] for numbers above 2^63-1.
    fn to_value(&self) -> Result<Value>;
}

/// What can be read back. The error says what is wrong with the value.
pub(crate) trait FromValue: Sized {
    /// From the stored form.
    fn from_value(value: Value) -> std::result::Result<Self, String>;
}

/// The values of a statement, in the order of `$1`, `$2`, …
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::ToValue::to_value(&$value)?),*] };
}
pub(crate) use args;

impl ToValue for i64 {
    fn null() -> Value {
        Value::Integer(None)
    }

    fn to_value(&self) -> Result<Value> {
        Ok(Value::Integer(Some(*self)))
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> std::result::Result<Self, String> {
        match value {
            Value::Integer(Some(number)) => Ok(number),
            Value::Integer(None) | Value::Text(None) => Err("is null, not an integer".to_owned()),
            Value::Text(Some(_)) => Err("is a text, not an integer".to_owned()),
        }
    }
}

/// Integer types narrower or wider than the column.
macro_rules! integers {
    ($($type:ty),+) => { $(
        impl ToValue for $type {
            fn null() -> Value {
                Value::Integer(None)
            }

            fn to_value(&self) -> Result<Value> {
                let fits = i64::try_from(*self);
                let number = fits.map_err(|_| StoreError::TooLarge { what: "number", number: u64::from(*self) })?;
                Ok(Value::Integer(Some(number)))
            }
        }

        impl FromValue for $type {
            fn from_value(value: Value) -> std::result::Result<Self, String> {
                let number = i64::from_value(value)?;
                Self::try_from(number).map_err(|_| format!("is {number}, which is out of range"))
            }
        }
    )+ };
}
integers!(u64, u32);

impl ToValue for bool {
    fn null() -> Value {
        Value::Integer(None)
    }

    fn to_value(&self) -> Result<Value> {
        Ok(Value::Integer(Some(i64::from(*self))))
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> std::result::Result<Self, String> {
        match i64::from_value(value)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("is {other}, neither 0 nor 1")),
        }
    }
}

impl ToValue for str {
    fn null() -> Value {
        Value::Text(None)
    }

    fn to_value(&self) -> Result<Value> {
        Ok(Value::Text(Some(self.to_owned())))
    }
}

impl ToValue for String {
    fn null() -> Value {
        Value::Text(None)
    }

    fn to_value(&self) -> Result<Value> {
        self.as_str().to_value()
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> std::result::Result<Self, String> {
        match value {
            Value::Text(Some(text)) => Ok(text),
            Value::Integer(None) | Value::Text(None) => Err("is null, not a text".to_owned()),
            Value::Integer(Some(_)) => Err("is an integer, not a text".to_owned()),
        }
    }
}

impl ToValue for Address {
    fn null() -> Value {
        Value::Text(None)
    }

    fn to_value(&self) -> Result<Value> {
        Ok(Value::Text(Some(self.to_lower_hex())))
    }
}

/// Types whose stored form is what `Display` writes.
macro_rules! displayed {
    ($($type:ty),+ $(,)?) => { $(
        impl ToValue for $type {
            fn null() -> Value {
                Value::Text(None)
            }

            fn to_value(&self) -> Result<Value> {
                Ok(Value::Text(Some(self.to_string())))
            }
        }
    )+ };
}
displayed!(B256, Bytes, U256, Kind, Step, MessageStatus, crate::journal::EntryState, crate::journal::Visibility);

/// Types that are read with `FromStr`.
macro_rules! parsed {
    ($($type:ty),+ $(,)?) => { $(
        impl FromValue for $type {
            fn from_value(value: Value) -> std::result::Result<Self, String> {
                parse(value)
            }
        }
    )+ };
}
parsed!(Address, B256, Bytes, U256, Kind, Step, MessageStatus, crate::journal::EntryState, crate::journal::Visibility);

fn parse<T: FromStr<Err: Display>>(value: Value) -> std::result::Result<T, String> {
    let text = String::from_value(value)?;
    text.parse().map_err(|problem| format!("{problem}: `{}`", text.chars().take(80).collect::<String>()))
}

/// Row numbers.
macro_rules! row_numbers {
    ($($type:ty),+) => { $(
        impl ToValue for $type {
            fn null() -> Value {
                Value::Integer(None)
            }

            fn to_value(&self) -> Result<Value> {
                Ok(Value::Integer(Some(self.0)))
            }
        }

        impl FromValue for $type {
            fn from_value(value: Value) -> std::result::Result<Self, String> {
                i64::from_value(value).map(Self)
            }
        }
    )+ };
}
row_numbers!(RequestId, crate::journal::EntryId);

impl<T: ToValue> ToValue for Option<T> {
    fn null() -> Value {
        T::null()
    }

    fn to_value(&self) -> Result<Value> {
        self.as_ref().map_or_else(|| Ok(T::null()), ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> std::result::Result<Self, String> {
        match value {
            Value::Integer(None) | Value::Text(None) => Ok(None),
            some @ (Value::Integer(Some(_)) | Value::Text(Some(_))) => T::from_value(some).map(Some),
        }
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn null() -> Value {
        T::null()
    }

    fn to_value(&self) -> Result<Value> {
        (*self).to_value()
    }
}

/// `$first, $first+1, …` for a list of integers, with its values.
pub(crate) fn in_list(numbers: impl Iterator<Item = i64>, first: usize) -> Result<(String, Vec<Value>)> {
    let values = numbers.map(|number| number.to_value()).collect::<Result<Vec<_>>>()?;
    let places: Vec<String> = (first..first + values.len()).map(|place| format!("${place}")).collect();
    Ok((places.join(", "), values))
}

/// A row that is read column by column, in the order of the statement.
#[derive(Debug)]
pub(crate) struct Row {
    pub(super) name: Arc<str>,
    pub(super) columns: Arc<[String]>,
    pub(super) values: std::vec::IntoIter<Value>,
}

impl Row {
    /// The next column.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] naming the column if its value is none of the type.
    pub(crate) fn take<T: FromValue>(&mut self) -> Result<T> {
        let at = self.columns.len() - self.values.len();
        let column = self.columns.get(at).map_or("?", String::as_str);
        let read = self.values.next().ok_or_else(|| "is missing".to_owned()).and_then(T::from_value);
        read.map_err(|problem| self.damaged(&format!("column `{column}` {problem}")))
    }

    /// All that was not taken yet.
    pub(crate) fn into_values(self) -> Vec<Value> {
        self.values.collect()
    }

    /// The error for a value that contradicts others of its row.
    pub(crate) fn damaged(&self, problem: &str) -> StoreError {
        StoreError::Damaged { name: self.name.to_string(), problem: problem.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were_and_nulls_keep_their_type() {
        assert_eq!(u64::MAX.to_value().unwrap_err().to_string().split(' ').next(), Some("number"));
        assert_eq!(U256::from_value(U256::MAX.to_value().unwrap()), Ok(U256::MAX));
        assert_eq!(None::<U256>.to_value().unwrap(), Value::Text(None));
        assert_eq!(None::<u64>.to_value().unwrap(), Value::Integer(None));
        assert_eq!(Option::<u32>::from_value(Value::Text(None)), Ok(None));
        assert!(u32::from_value(Value::Integer(Some(-1))).is_err());
        assert!(bool::from_value(Value::Integer(Some(2))).is_err());
        assert!(Address::from_value(Value::Text(Some("0x12".to_owned()))).is_err());
    }
}
