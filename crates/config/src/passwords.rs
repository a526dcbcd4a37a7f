//! Passwords of worker keys: which are needed, and which the environment gives. Pure: the environment is an argument.

use crate::{KeyError, Secret};
use facilitator_eth::Address;
use std::{collections::BTreeMap, ffi::OsString};

const PREFIX: &str = "MOSAIC_ADDRESS_PASSW_";

/// The environment variable that holds the password of a worker's key.
#[must_use]
pub fn password_variable(account: Address) -> String {
    format!("{PREFIX}{account}")
}

/// Passwords by account. `Debug` shows the accounts alone.
#[derive(Debug, Clone, Default)]
pub struct Passwords(BTreeMap<Address, Secret>);

impl Passwords {
    /// The passwords among the environment variables `variables`: `MOSAIC_ADDRESS_PASSW_<address>`, the address in any
    /// case, with or without `0x`. Other variables, and values that are no UTF-8, are left out.
    ///
    /// # Errors
    /// [`KeyError::Ambiguous`] when two spellings of one address have different passwords.
    pub fn from_env(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, KeyError> {
        let mut passwords = Self::default();
        for (name, value) in variables {
            let account = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(account);
            let (Some(account), Ok(value)) = (account, value.into_string()) else { continue };
            let value = Secret::new(value);
            if passwords.0.get(&account).is_some_and(|other| *other != value) {
                return Err(KeyError::Ambiguous { account });
            }
            passwords.insert(account, value);
        }
        Ok(passwords)
    }

    /// Adds a password, in place of an earlier one.
    pub fn insert(&mut self, account: Address, password: Secret) {
        self.0.insert(account, password);
    }

    /// The password of `account`.
    #[must_use]
    pub fn get(&self, account: Address) -> Option<&Secret> {
        self.0.get(&account)
    }

    /// Those of `accounts` that have no password yet, in their order: what is asked for on a terminal.
    #[must_use]
    pub fn missing(&self, accounts: &[Address]) -> Vec<Address> {
        accounts.iter().copied().filter(|account| self.get(*account).is_none()).collect()
    }
}

/// The address in any case, with or without `0x`; the checksum does not count here.
fn account(text: &str) -> Option<Address> {
    let lower = text.to_ascii_lowercase();
    format!("0x{}", lower.strip_prefix("0x").unwrap_or(&lower)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

    fn env(pairs: &[(String, &str)]) -> Result<Passwords, KeyError> {
        Passwords::from_env(pairs.iter().map(|(name, value)| (name.into(), (*value).into())))
    }

    #[test]
    fn the_address_is_compared_without_regard_to_case_and_prefix() {
        let address: Address = ADDRESS.parse().unwrap();
        let wrong_checksum = ADDRESS.replace('a', "A");
        for spelling in [ADDRESS, &ADDRESS[2..], &ADDRESS.to_lowercase(), &ADDRESS.to_uppercase(), &wrong_checksum] {
            let passwords = env(&[(format!("{PREFIX}{spelling}"), " secret ")]).unwrap();
            assert_eq!(passwords.get(address).map(Secret::expose), Some(" secret "), "{spelling}");
            assert!(passwords.missing(&[address]).is_empty());
            assert!(!format!("{passwords:?}").contains("secret "));
        }
        let others = [(ADDRESS.to_owned(), "a"), (format!("{PREFIX}0x12"), "b"), (format!("mosaic_{ADDRESS}"), "c")];
        assert_eq!(env(&others).unwrap().missing(&[address]), [address]);
        assert_eq!(password_variable(address), format!("MOSAIC_ADDRESS_PASSW_{ADDRESS}"));
    }

    #[test]
    fn two_spellings_may_agree_but_not_differ() {
        let both = |second| env(&[(format!("{PREFIX}{ADDRESS}"), "a"), (format!("{PREFIX}{}", &ADDRESS[2..]), second)]);
        assert!(both("a").is_ok());
        assert_eq!(both("b").unwrap_err(), KeyError::Ambiguous { account: ADDRESS.parse().unwrap() });
    }
}
