//! How a program that has its C library in itself resolves names, of hosts and of accounts. Stands alone: a test compiles
//! this file by itself.

/// Has names of hosts resolved by `/etc/hosts` and DNS, and accounts found in `/etc/passwd`, whatever
/// `/etc/nsswitch.conf` says.
///
/// Linked statically, glibc loads the modules that the file names (`resolve`, `mdns4_minimal`, `systemd`) from the
/// machine, and with them the machine's own C library: of any other version than the one within, it ends the process.
/// Does nothing where the C library is the machine's, or is musl, which knows no modules.
pub(crate) fn resolve_without_modules() {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    within::resolve_without_modules();
}

#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod within {
    use std::ffi::{CStr, c_char, c_int};

    #[allow(unsafe_code, reason = "the C library has this setting for the whole process")]
    unsafe extern "C" {
        /// Of `nss.h`: what counts for a database instead of its line in the file. 0 if it was taken over.
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }

    /// Who is asked, in this order; all of them are in the library itself. Accounts are asked for by the client of
    /// PostgreSQL and where `HOME` is not set.
    const SERVICES: [(&CStr, &CStr); 2] = [(c"hosts", c"files dns"), (c"passwd", c"files")];

    #[allow(unsafe_code, reason = "all are strings of C, and no other thread runs yet that could look up a name")]
    pub(super) fn resolve_without_modules() {
        for (database, services) in SERVICES {
            // It refuses nothing but unknown databases, and then the file counts.
            let _refused = unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
        }
    }
}
