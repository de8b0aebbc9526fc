# What has to pass before anything lands.
check:
    bash .ci/run

# Only the tests.
test:
    cargo test --workspace --all-features

# The long torture: a kill at every file system call (needs strace), then eight processes for two minutes.
torture:
    PDS_TORTURE=full PDS_FIXTURES_REQUIRED=1 cargo test -p atpds-cli --test main -- --nocapture durability::kills::
    PDS_TORTURE_SECONDS=120 cargo test -p atpds-cli --test main -- --nocapture concurrency::eight::

# Licences and sources of the dependencies (cargo install cargo-deny).
deny:
    cargo deny check licenses bans sources

# Line coverage (cargo install cargo-llvm-cov).
cover:
    cargo llvm-cov --workspace --all-features --html

# Measures against the other libraries and the limits of the machine, and writes the page (the first build takes a quarter of an hour).
bench *arguments:
    cargo build --release -p atpds-cli
    cargo run --release --manifest-path crates/pds-bench/Cargo.toml --target-dir target -- run --page docs/performance.md {{arguments}}

# The small parts: CBOR, nodes, CIDs, TIDs.
bench-parts:
    cargo bench --manifest-path crates/pds-bench/Cargo.toml --target-dir target --bench micro

# The measuring programs are a workspace of their own, and the gate checks them without the other libraries; this with them.
bench-check:
    cargo fmt --manifest-path crates/pds-bench/Cargo.toml --check
    cargo clippy --release --manifest-path crates/pds-bench/Cargo.toml --target-dir target --all-targets -- -D warnings
    cargo test --release --manifest-path crates/pds-bench/Cargo.toml --target-dir target

# Writes the table of instruction counts anew, after a change that was meant.
instructions:
    bash .ci/instructions --update
