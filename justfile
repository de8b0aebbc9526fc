# Run everything that has to pass before a change is merged.
check:
    bash .ci/run

# Run the tests only.
test:
    cargo test --workspace --all-features

# Run the end-to-end tests with the real servers. The first time installs these in the target directory.
e2e *filters:
    bash .ci/e2e
    cargo build -p atpds-cli
    cargo test -p atpds-e2e -- {{filters}}

# Run all torture tests in full and print a table: kills and failures at every call, power cuts, damage, mutations.
torture *filters:
    bash .ci/torture {{filters}}

# Run each fuzz target for some seconds, or those that are named: just fuzz 600 verify tree. Inputs are kept.
fuzz seconds="60" *targets:
    bash .ci/fuzz {{seconds}} {{targets}}

# Change the code of the core and the stores, one place at a time, and see whether a test fails (cargo install
# cargo-mutants). All of it takes most of a day; `just mutants -f crates/pds-core/src/mst/path.rs` takes minutes.
mutants *arguments:
    cargo mutants -p atpds-core -p atpds-store {{arguments}}

# Write the lists of public items again, after an intended change.
api:
    bash .ci/api --update

# Make the packages and compile each from its packaged sources, as the registry would. Members come from the workspace.
packages:
    cargo package --quiet -p atpds-core -p atpds-store -p atpds-postgres -p atpds -p atpds-rescue -p atpds-net -p atpds-cli

# Check licences and sources of the dependencies.
deny:
    bash .ci/deny

# Measure line coverage (cargo install cargo-llvm-cov).
cover:
    cargo llvm-cov --workspace --all-features --html

# The first build takes a quarter of an hour.
# Measure against other libraries and the limits of the machine, and write docs/performance.md and its tables.
bench *arguments:
    cargo build --release -p atpds-cli
    cargo run --release --manifest-path crates/pds-bench/Cargo.toml --target-dir target -- run --page docs/performance.md {{arguments}}

# Measure the store in PostgreSQL next to bare statements and SQLite, and write docs/performance/postgres.md.
bench-postgres *arguments:
    cargo run --release --manifest-path crates/pds-bench/Cargo.toml --target-dir target --no-default-features --features postgres -- postgres --page docs/performance/postgres.md {{arguments}}

# Measure clone, pull and follow against a real host, and write docs/performance/network.md.
bench-network *arguments:
    bash .ci/e2e
    cargo build --release -p atpds-cli
    cargo run --release -p atpds-e2e --example measure -- --page docs/performance/network.md {{arguments}}

# Measure the small parts: CBOR, nodes, CIDs, TIDs.
bench-parts:
    cargo bench --manifest-path crates/pds-bench/Cargo.toml --target-dir target --bench micro

# Check the measuring programs with the other libraries. The gate checks them without.
bench-check:
    cargo fmt --manifest-path crates/pds-bench/Cargo.toml --check
    cargo clippy --release --manifest-path crates/pds-bench/Cargo.toml --target-dir target --all-targets --features postgres -- -D warnings
    cargo test --release --manifest-path crates/pds-bench/Cargo.toml --target-dir target

# Write the table of instruction counts again, after an intended change.
instructions:
    bash .ci/instructions --update
