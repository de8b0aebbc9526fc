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
