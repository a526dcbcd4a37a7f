//! How a program that has its C library in itself resolves the names of hosts. Stands alone: a test compiles this file
//! by itself.

/// Has names resolved by `/etc/hosts` and DNS, whatever `/etc/nsswitch.conf` says.
///
/// Linked statically, glibc loads the modules that the file names (`resolve`, `mdns4_minimal`, `myhostname`) from the
/// machine, and with them the machine's own C library: of any other version than the one within, it ends the process.
/// Does nothing where the C library is the machine's, or is musl, which knows no modules.
pub(crate) fn resolve_without_modules() {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    within::resolve_without_modules();
}

#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod within {
    use std::ffi::{c_char, c_int};

    #[allow(unsafe_code, reason = "the C library has this setting for the whole process")]
    unsafe extern "C" {
        /// Of `nss.h`: what counts for a database instead of its line in the file. 0 if it was taken over.
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }

    #[allow(unsafe_code, reason = "both are strings of C, and no other thread runs yet that could look up a name")]
    pub(super) fn resolve_without_modules() {
        // Both services are in the library itself. It refuses nothing but unknown databases, and then the file counts.
        let _refused = unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
    }
}
