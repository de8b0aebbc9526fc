//! A file system without locks, as some network file systems are.

use crate::common::{Home, TestRepo};

/// Replaces the calls for locks by an error with a number.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
static int fail(void) { errno = atoi(getenv("LOCK_ERROR")); return -1; }
#define REPLACE(name)                                                          \
    int name(int fd, int command, ...) {                                       \
        va_list rest;                                                          \
        va_start(rest, command);                                               \
        void *argument = va_arg(rest, void *);                                 \
        va_end(rest);                                                          \
        if (command == F_SETLK || command == F_SETLKW || command == F_GETLK)   \
            return fail();                                                     \
        int (*real)(int, int, ...) = dlsym(RTLD_NEXT, #name);                  \
        return real(fd, command, argument);                                    \
    }
REPLACE(fcntl)
REPLACE(fcntl64)
int flock(int fd, int operation) { return fail(); }
"#;

/// Compiles the shim; `None` where no compiler is installed.
fn shim(home: &Home) -> Option<String> {
    home.write("shim.c", SHIM);
    let compiled = home.sh("cc -shared -fPIC -o shim.so shim.c -ldl").ended();
    if compiled.exit() == Some(0) {
        return Some(home.path("shim.so"));
    }
    eprintln!("skipped: no C compiler here: {}", compiled.stderr);
    None
}

#[test]
fn a_file_system_without_locks_is_named_as_the_cause() {
    let repo = TestRepo::with_notes();
    let Some(shim) = shim(&repo.home) else { return };
    // ENOLCK of NFS without a lock server, ENOSYS and EOPNOTSUPP of others.
    for number in ["37", "38", "95"] {
        for args in [
            &["-R", "alice", "ls"][..],
            &["-R", "alice", "put", "com.example.note/x"],
            &["-R", "alice", "verify"],
            &["init", "bob", "--did", "did:web:bob.example.com"],
        ] {
            let run = repo.home.pds(args.iter().map(|arg| (*arg).to_owned()));
            let run = run.env("LD_PRELOAD", &shim).env("LOCK_ERROR", number).stdin("{}");
            let said = run.fails(1);
            let expected = "error: the file system has no locks, which a database needs: ";
            assert!(said.starts_with(expected), "{number} {args:?}: {said}");
            assert!(said.contains("NFS") && said.contains("local disk"), "{said}");
        }
    }
    assert!(!repo.home.list(".").contains(&"bob".to_owned()));
    repo.assert_whole();
}
