//! The few arguments of the demo and the benchmark.

use anyhow::{Context as _, Result, bail};

/// What was said on the command line.
#[derive(Debug, Default)]
pub struct Arguments {
    values: Vec<(String, String)>,
    flags: Vec<String>,
}

impl Arguments {
    /// Reads the process's arguments: `values` take a value, `flags` don't.
    ///
    /// # Errors
    /// For an argument that is neither, or a value that is missing.
    pub fn read(values: &[&str], flags: &[&str]) -> Result<Self> {
        let mut found = Self::default();
        let mut given = std::env::args().skip(1);
        while let Some(name) = given.next() {
            if flags.contains(&name.as_str()) {
                found.flags.push(name);
            } else if values.contains(&name.as_str()) {
                let value = given.next().with_context(|| format!("{name} needs a value"))?;
                found.values.push((name, value));
            } else {
                bail!("unknown argument {name}; there are {}", [values, flags].concat().join(", "));
            }
        }
        Ok(found)
    }

    /// The number that was given for `name`, else `default`.
    ///
    /// # Errors
    /// When it is no number.
    pub fn number(&self, name: &str, default: u64) -> Result<u64> {
        let Some((_, value)) = self.values.iter().rev().find(|(own, _)| own == name) else { return Ok(default) };
        value.parse().with_context(|| format!("{name} {value} is no number"))
    }

    /// The numbers that were given for `name`, with commas between them, else `default`.
    ///
    /// # Errors
    /// When one of them is no number.
    pub fn numbers(&self, name: &str, default: &[usize]) -> Result<Vec<usize>> {
        let Some(words) = self.word(name) else { return Ok(default.to_vec()) };
        let number = |word: &str| word.parse().with_context(|| format!("{name} {words}: {word} is no number"));
        words.split(',').map(number).collect()
    }

    /// The word that was given for `name`.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether the flag was given.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }
}
