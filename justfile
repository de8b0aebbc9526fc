# What has to pass before anything lands.
check:
    bash .ci/run

# Only the tests.
test:
    cargo test --workspace --all-features

# Licences and sources of the dependencies (cargo install cargo-deny).
deny:
    cargo deny check licenses bans sources

# Line coverage (cargo install cargo-llvm-cov).
cover:
    cargo llvm-cov --workspace --all-features --html

# Measures against the other libraries and the limits of the machine; writes docs/performance.md (the first build takes a quarter of an hour).
bench *arguments:
    cargo build --release -p atpds-cli
    cargo run --release --manifest-path crates/pds-bench/Cargo.toml -- run --page docs/performance.md {{arguments}}

# The measuring programs are a workspace of their own, and are checked by themselves.
bench-check:
    cargo fmt --manifest-path crates/pds-bench/Cargo.toml --check
    cargo clippy --manifest-path crates/pds-bench/Cargo.toml --all-targets -- -D warnings
