//! The book's examples: read from its pages, carried out in a machine of their own, and compared with what the pages show.
//!
//! In fenced blocks of the kind `console`, lines that begin with `$ ` or `# ` are commands (a backslash at the end
//! continues one), all others what they print. A command that shows nothing may print anything. Blocks of the kind `json`
//! are put into a file, those of the kind `ini` into a drop-in of a unit. Blocks of the kinds `text` and `promql` are not
//! carried out; one of the kind `text` with a line that begins with `$ ` must be marked. Comments of a page say what its
//! reader does not see:
//!
//! | comment | means |
//! |---|---|
//! | `<!-- book: after PAGE -->` | the examples of that page come first, up to where those who go on leave it |
//! | `<!-- book: those who go on leave here -->` | the end for pages that come after this one |
//! | `<!-- book: run COMMAND -->` | a command, here; may have several lines |
//! | `<!-- book: needs COMMAND -->` | a command, here; where it ends with 77, this machine can't show what follows, and says so |
//! | `<!-- book: answer TEXT -->` | what is typed when a command of the next block asks for a password; once for each question |
//! | `<!-- book: at a terminal -->` | the commands of the next block are typed at one, and ask for passwords there |
//! | `<!-- book: exit CODE -->` | the last command of the next block ends with that code |
//! | `<!-- book: shown only -->` | the next block, of the kind `text`, is a session that nobody can carry out here |
//! | `<!-- book: merge FILE -->` | the next block of the kind `json` is put into this JSON file |
//! | `<!-- book: edit UNIT -->` | the next block, of the kind `ini`, is what is typed into `systemctl edit UNIT` |

mod answers;
mod cargo;
mod compare;
mod page;
mod play;
mod terminal;

pub use compare::Names;
pub use page::{Page, Step};
pub use play::play;
